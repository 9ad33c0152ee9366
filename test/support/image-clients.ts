// skopeo, crane and docker behind one face: push an image, pull an image. A pull starts from nothing and proves that
// every byte arrived.

import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runClient } from './clients.ts'
import { type Dockerd, startDockerd } from './dockerd.ts'
import type { TestImage } from './image.ts'
import { type PulledImage, readLayout } from './oci-layout.ts'
import { temporaryFolder } from './stack.ts'

export const clientNames = ['skopeo', 'crane', 'docker'] as const

/** What they need installed, for `missingClients`. */
export const neededForClients = [...clientNames, 'dockerd'] as const

interface ImageClient {
  /** @param reference HOST:PORT/NAME:TAG */
  push(image: TestImage, reference: string): Promise<void>
  /** @returns what the client then has, after each of its files was compared with its digest */
  pull(reference: string): Promise<PulledImage>
}

export type ImageClients = Readonly<Record<(typeof clientNames)[number], ImageClient>> & { stop(): Promise<void> }

export async function startClients(): Promise<ImageClients> {
  const folder = await temporaryFolder()
  const dockerd = await startDockerd()
  return {
    skopeo: createSkopeo(folder.path),
    crane: createCrane(folder.path),
    docker: createDocker(dockerd, folder.path),
    async stop() {
      await dockerd.stop()
      await folder.remove()
    },
  }
}

/** HOST:PORT/NAME, as clients write it. */
export function referenceAt(url: string, name: string): string {
  return `${new URL(url).host}/${name}`
}

function createSkopeo(folder: string): ImageClient {
  // skopeo remembers which registry has which blob. Its memory goes into our folder, except for root, whose is the
  // machine's; that may turn an upload into a mount, as it does for users.
  const environment = { HOME: folder, XDG_DATA_HOME: folder }
  const copy = (...args: readonly string[]) => runClient('skopeo', ['--insecure-policy', 'copy', ...args], environment)
  return {
    async push(image, reference) {
      const source = `oci:${image.folder}:latest`
      await copy('--preserve-digests', '--dest-tls-verify=false', source, `docker://${reference}`)
    },
    pull: (reference) =>
      intoLayout(folder, (layout) =>
        copy('--preserve-digests', '--src-tls-verify=false', `docker://${reference}`, `oci:${layout}:latest`),
      ),
  }
}

function createCrane(folder: string): ImageClient {
  const environment = { HOME: folder, DOCKER_CONFIG: folder }
  const crane = (...args: readonly string[]) => runClient('crane', [...args, '--insecure'], environment)
  return {
    async push(image, reference) {
      await crane('push', image.folder, reference)
    },
    pull: (reference) => intoLayout(folder, (layout) => crane('pull', '--format=oci', reference, layout)),
  }
}

async function intoLayout(folder: string, pull: (layout: string) => Promise<string>): Promise<PulledImage> {
  const layout = await mkdtemp(join(folder, 'pulled-'))
  try {
    await pull(layout)
    return await readLayout(layout)
  } finally {
    await rm(layout, { recursive: true })
  }
}

function createDocker({ docker }: Dockerd, folder: string): ImageClient {
  return {
    async push(image, reference) {
      const loaded = `loaded:${image.manifest.digest.slice('sha256:'.length, 20)}`
      const archive = join(await mkdtemp(join(folder, 'archive-')), 'image.tar')
      await runClient('skopeo', [
        '--insecure-policy',
        'copy',
        `oci:${image.folder}:latest`,
        `docker-archive:${archive}:${loaded}`,
      ])
      await docker('load', '--quiet', '--input', archive)
      await rm(archive)
      await docker('tag', loaded, reference)
      await docker('push', '--quiet', reference)
    },
    async pull(reference) {
      // Layers that it has it does not pull.
      await docker('image', 'prune', '--all', '--force')
      await docker('pull', '--quiet', reference)
      const [found] = JSON.parse(await docker('image', 'inspect', reference)) as [
        { RepoDigests: readonly string[]; RootFS: { Layers: readonly string[] } },
      ]
      const [repoDigest = '', ...others] = found.RepoDigests
      if (others.length > 0) throw new Error(`docker had this image before: ${found.RepoDigests.join(' ')}`)
      return { manifestDigest: repoDigest.slice(repoDigest.indexOf('@') + 1), diffIds: found.RootFS.Layers }
    },
  }
}
