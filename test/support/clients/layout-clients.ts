// skopeo, crane, regctl and oras: programs without a daemon that copy between OCI layouts and registries, and keep the
// bytes of every manifest.

import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { layoutDigest, readImage, readIndex } from './oci-layout.ts'
import { temporaryFolder } from '../stack.ts'
import type { ImageClient } from './image-client.ts'
import { runClient } from './programs.ts'
import { createCredentialFile, type SignIn } from './sign-in.ts'

type Copy = (reference: string, layout: string) => Promise<string>

/** Commands of one client. The layout's image or index is tagged `latest`. */
interface Commands extends SignIn {
  readonly push: Copy
  readonly pull: Copy
}

export async function startSkopeo(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  // skopeo remembers which registry has which blob. Its memory goes into our folder, except for root, whose is the
  // machine's; that may turn an upload into a mount, as it does for users.
  const environment = { HOME: folder.path, XDG_DATA_HOME: folder.path, ...credentials.environment }
  const skopeo = (...args: readonly string[]) => runClient('skopeo', ['--insecure-policy', ...args], environment)
  /** It reads no access token from a file. */
  let accessToken: string | undefined
  const copy = (side: 'src' | 'dest', ...args: readonly string[]) =>
    skopeo(
      'copy',
      '--all',
      '--preserve-digests',
      `--${side}-tls-verify=false`,
      ...(accessToken === undefined ? [] : [`--${side}-registry-token=${accessToken}`]),
      ...args,
    )
  return layoutClient(folder, {
    push: (reference, layout) => copy('dest', `oci:${layout}:latest`, `docker://${reference}`),
    pull: (reference, layout) => copy('src', `docker://${reference}`, `oci:${layout}:latest`),
    async login(host, user, password) {
      await skopeo('login', '--tls-verify=false', `--username=${user}`, `--password=${password}`, host)
    },
    async signOut() {
      accessToken = undefined
      await credentials.signOut()
    },
    async useToken(host, token) {
      if (token.kind === 'access') accessToken = token.text
      else await credentials.useToken(host, token)
    },
  })
}

export async function startCrane(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  const crane = (...args: readonly string[]) =>
    runClient('crane', [...args, '--insecure'], { HOME: folder.path, ...credentials.environment })
  return layoutClient(folder, {
    push: (reference, layout) => crane('push', layout, reference),
    pull: (reference, layout) => crane('pull', '--format=oci', reference, layout),
    ...credentials,
    async login(host, user, password) {
      await crane('auth', 'login', host, `--username=${user}`, `--password=${password}`)
    },
  })
}

export async function startRegctl(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  const regctl = (reference: string, ...args: readonly string[]) =>
    runClient('regctl', [...args, ...regctlPlainHttp(reference)], { HOME: folder.path, ...credentials.environment })
  return layoutClient(folder, {
    push: (reference, layout) => regctl(reference, 'image', 'copy', `ocidir://${layout}:latest`, reference),
    pull: (reference, layout) => regctl(reference, 'image', 'copy', reference, `ocidir://${layout}:latest`),
    ...credentials,
    async login(host, user, password) {
      await regctl(`${host}/`, 'registry', 'login', `--user=${user}`, `--pass=${password}`, host)
    },
    async signOut() {
      await credentials.signOut()
      await rm(join(folder.path, '.regctl'), { recursive: true, force: true })
    },
  })
}

/** regctl is told of each host how to speak to it. */
export function regctlPlainHttp(reference: string): readonly string[] {
  return ['--host', `reg=${reference.slice(0, reference.indexOf('/'))},tls=disabled`]
}

export async function startOras(): Promise<ImageClient> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  const oras = (...args: readonly string[]) =>
    runClient('oras', args, { HOME: folder.path, ...credentials.environment })
  return layoutClient(folder, {
    push: (reference, layout) => oras('copy', '--from-oci-layout', '--to-plain-http', `${layout}:latest`, reference),
    pull: (reference, layout) => oras('copy', '--from-plain-http', '--to-oci-layout', reference, `${layout}:latest`),
    ...credentials,
    async login(host, user, password) {
      await oras('login', '--plain-http', `--username=${user}`, `--password=${password}`, host)
    },
  })
}

function layoutClient(
  folder: { readonly path: string; readonly remove: () => Promise<void> },
  { push, pull, ...signIn }: Commands,
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
    ...signIn,
    stop: folder.remove,
  }
}
