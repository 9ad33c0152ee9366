// skopeo, crane, regctl and oras: programs without a daemon that copy between OCI layouts and registries, and keep the
// bytes of every manifest.

import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { layoutDigest, readImage, readIndex } from '../oci-layout.ts'
import { temporaryFolder } from '../stack.ts'
import type { ImageClient } from './image-client.ts'
import { runClient } from './programs.ts'

type Copy = (reference: string, layout: string) => Promise<string>

/** Commands of one client. The layout's image or index is tagged `latest`. */
interface Commands {
  readonly push: Copy
  readonly pull: Copy
}

export async function startSkopeo(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  // skopeo remembers which registry has which blob. Its memory goes into our folder, except for root, whose is the
  // machine's; that may turn an upload into a mount, as it does for users.
  const environment = { HOME: folder.path, XDG_DATA_HOME: folder.path }
  const copy = (...args: readonly string[]) =>
    runClient('skopeo', ['--insecure-policy', 'copy', '--all', '--preserve-digests', ...args], environment)
  return layoutClient(folder, {
    push: (reference, layout) => copy('--dest-tls-verify=false', `oci:${layout}:latest`, `docker://${reference}`),
    pull: (reference, layout) => copy('--src-tls-verify=false', `docker://${reference}`, `oci:${layout}:latest`),
  })
}

export async function startCrane(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const crane = (...args: readonly string[]) =>
    runClient('crane', [...args, '--insecure'], { HOME: folder.path, DOCKER_CONFIG: folder.path })
  return layoutClient(folder, {
    push: (reference, layout) => crane('push', layout, reference),
    pull: (reference, layout) => crane('pull', '--format=oci', reference, layout),
  })
}

export async function startRegctl(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const copy = (reference: string, ...args: readonly string[]) =>
    runClient('regctl', ['image', 'copy', ...regctlPlainHttp(reference), ...args], { HOME: folder.path })
  return layoutClient(folder, {
    push: (reference, layout) => copy(reference, `ocidir://${layout}:latest`, reference),
    pull: (reference, layout) => copy(reference, reference, `ocidir://${layout}:latest`),
  })
}

/** regctl is told of each host how to speak to it. */
export function regctlPlainHttp(reference: string): readonly string[] {
  return ['--host', `reg=${reference.slice(0, reference.indexOf('/'))},tls=disabled`]
}

export async function startOras(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const copy = (...args: readonly string[]) => runClient('oras', ['copy', ...args], { HOME: folder.path })
  return layoutClient(folder, {
    push: (reference, layout) => copy('--from-oci-layout', '--to-plain-http', `${layout}:latest`, reference),
    pull: (reference, layout) => copy('--from-plain-http', '--to-oci-layout', reference, `${layout}:latest`),
  })
}

function layoutClient(
  folder: { readonly path: string; readonly remove: () => Promise<void> },
  { push, pull }: Commands,
): ImageClient {
  const pulled = async <Read>(reference: string, read: (layout: string, digest: string) => Promise<Read>) => {
    const layout = await mkdtemp(join(folder.path, 'pulled-'))
    try {
      await pull(reference, layout)
      return await read(layout, await layoutDigest(layout))
    } finally {
      await rm(layout, { recursive: true })
    }
  }
  return {
    async push(image, reference) {
      await push(reference, image.folder)
    },
    pull: (reference) => pulled(reference, readImage),
    async pushIndex(index, reference) {
      await push(reference, index.folder)
    },
    pullIndex: (reference) => pulled(reference, readIndex),
    stop: folder.remove,
  }
}
