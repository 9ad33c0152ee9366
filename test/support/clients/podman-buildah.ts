// podman and buildah. They keep layers uncompressed, compress them for a push and write a manifest of their own; but the
// images that they push under an index keep their bytes.

import type { TestImage } from '../image.ts'
import { temporaryFolder } from '../stack.ts'
import type { ImageClient } from './image-client.ts'
import { withArchive } from './layout-archive.ts'
import { type Client, runClient } from './programs.ts'
import { createCredentialFile, type CredentialFile } from './sign-in.ts'

/** What `images --format json` and `inspect` say in different words. */
interface Stored {
  readonly digest: string
  readonly diffIds: readonly string[]
}

/** podman or buildah with a storage of its own. */
interface Tool {
  /** Runs one command; returns what it printed. */
  readonly run: (...args: readonly string[]) => Promise<string>
  readonly credentials: CredentialFile
  readonly stop: () => Promise<void>
}

export async function startPodman(): Promise<ImageClient> {
  const podman = await startTool('podman')
  return storageClient(podman, async (reference) => {
    const [found] = JSON.parse(await podman.run('image', 'inspect', reference)) as [
      { readonly Digest: string; readonly RootFS: { readonly Layers: readonly string[] } },
    ]
    return { digest: found.Digest, diffIds: found.RootFS.Layers }
  })
}

export async function startBuildah(): Promise<ImageClient> {
  const buildah = await startTool('buildah')
  return storageClient(buildah, async (reference) => {
    const [image] = JSON.parse(await buildah.run('images', '--json', reference)) as [{ readonly digest: string }]
    const { OCIv1 } = JSON.parse(await buildah.run('inspect', '--type=image', reference)) as {
      readonly OCIv1: { readonly rootfs: { readonly diff_ids: readonly string[] } }
    }
    return { digest: image.digest, diffIds: OCIv1.rootfs.diff_ids }
  })
}

/** Its storage needs nothing of the file system it is on. */
export async function startTool(client: Client & ('podman' | 'buildah')): Promise<Tool> {
  const folder = await temporaryFolder()
  const storage = [`--root=${folder.path}/root`, `--runroot=${folder.path}/run`, '--storage-driver=vfs']
  const credentials = await createCredentialFile(folder.path)
  return {
    // What builds keep for the next lies in TMPDIR.
    run: (...args) =>
      runClient(client, [...storage, ...args], {
        HOME: folder.path,
        TMPDIR: folder.path,
        ...credentials.environment,
      }),
    credentials,
    stop: folder.remove,
  }
}

function storageClient({ run, credentials, stop }: Tool, stored: (reference: string) => Promise<Stored>): ImageClient {
  const pull = async (reference: string, ...options: readonly string[]) => {
    await run('rmi', '--all', '--force')
    await run('pull', '--quiet', '--tls-verify=false', ...options, reference)
    return stored(reference)
  }
  return {
    async push(image: TestImage, reference) {
      const id = await withArchive(image.folder, (archive) => run('pull', '--quiet', `oci-archive:${archive}`))
      await run('push', '--quiet', '--tls-verify=false', id.trim(), `docker://${reference}`)
    },
    async pull(reference) {
      const { digest, diffIds } = await pull(reference)
      return { manifestDigest: digest, diffIds }
    },
    async pushIndex(index, reference) {
      await run('manifest', 'create', reference)
      await run('manifest', 'add', '--all', reference, `oci:${index.folder}`)
      await run('manifest', 'push', '--all', '--tls-verify=false', reference, `docker://${reference}`)
      await run('manifest', 'rm', reference)
    },
    async pullIndex(reference, architectures) {
      const diffIds: Record<string, readonly string[]> = {}
      let indexDigest = ''
      for (const architecture of architectures) {
        const pulled = await pull(reference, `--arch=${architecture}`)
        diffIds[architecture] = pulled.diffIds
        indexDigest = pulled.digest
      }
      return { indexDigest, diffIds }
    },
    ...credentials,
    async login(host, user, password) {
      await run('login', '--tls-verify=false', `--username=${user}`, `--password=${password}`, host)
    },
    stop,
  }
}
