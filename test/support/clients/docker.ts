// docker with a daemon of its own. It compresses layers and writes manifests of its own.

import { join } from 'node:path'
import type { TestImage } from '../image.ts'
import { temporaryFolder } from '../stack.ts'
import { startDockerd } from './dockerd.ts'
import type { ImageClient } from './image-client.ts'
import { runClient } from './programs.ts'

interface Inspected {
  readonly RepoDigests: readonly string[]
  readonly RootFS: { readonly Layers: readonly string[] }
}

export async function startDocker(): Promise<ImageClient> {
  const { docker, credentials, stop } = await startDockerd()

  const push = async (image: TestImage, reference: string) => {
    const loaded = `loaded:${image.manifest.digest.slice('sha256:'.length, 20)}`
    const folder = await temporaryFolder()
    const archive = join(folder.path, 'image.tar')
    const target = `docker-archive:${archive}:${loaded}`
    await runClient('skopeo', ['--insecure-policy', 'copy', `oci:${image.folder}:latest`, target])
    await docker('load', '--quiet', '--input', archive)
    await folder.remove()
    await docker('tag', loaded, reference)
    await docker('push', '--quiet', reference)
  }

  const pull = async (reference: string, ...options: readonly string[]) => {
    // Layers that it has it does not pull.
    await docker('image', 'prune', '--all', '--force')
    await docker('pull', '--quiet', ...options, reference)
    const [found] = JSON.parse(await docker('image', 'inspect', reference)) as [Inspected]
    const [repoDigest = '', ...others] = found.RepoDigests
    if (others.length > 0) throw new Error(`docker had this image before: ${found.RepoDigests.join(' ')}`)
    return { digest: repoDigest.slice(repoDigest.indexOf('@') + 1), diffIds: found.RootFS.Layers }
  }

  return {
    push,
    async pull(reference) {
      const { digest, diffIds } = await pull(reference)
      return { manifestDigest: digest, diffIds }
    },
    async pushIndex(index, reference) {
      const members: string[] = []
      for (const image of index.images) {
        const member = `${reference}-${image.architecture}`
        await push(image, member)
        members.push(member)
      }
      await docker('manifest', 'create', '--insecure', reference, ...members)
      await docker('manifest', 'push', '--insecure', reference)
    },
    async pullIndex(reference, architectures) {
      const diffIds: Record<string, readonly string[]> = {}
      let indexDigest = ''
      for (const architecture of architectures) {
        const pulled = await pull(reference, `--platform=linux/${architecture}`)
        diffIds[architecture] = pulled.diffIds
        indexDigest = pulled.digest
      }
      return { indexDigest, diffIds }
    },
    ...credentials,
    async login(host, user, password) {
      await docker('login', `--username=${user}`, `--password=${password}`, host)
    },
    stop,
  }
}
