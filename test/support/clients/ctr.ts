// ctr, the command line of containerd, with a containerd of its own. It keeps the bytes of every manifest.

import { readImage, readIndex } from './oci-layout.ts'
import { startContainerd } from './containerd.ts'
import type { ImageClient } from './image-client.ts'
import { withArchive } from './layout-archive.ts'

export async function startCtr(): Promise<ImageClient> {
  const { ctr, contentStore, stop } = await startContainerd()
  /** It remembers nobody: each command is told. */
  let account: readonly string[] = []

  const forgetAll = async () => {
    const names = (await ctr('images', 'ls', '--quiet')).split('\n').filter((name) => name !== '')
    if (names.length > 0) await ctr('images', 'rm', '--sync', ...names)
    const left = await ctr('content', 'ls', '--quiet')
    if (left !== '') throw new Error(`containerd still has ${left}`)
  }

  const push = async ({ folder }: { readonly folder: string }, reference: string) => {
    await forgetAll()
    await withArchive(folder, (archive) =>
      ctr('images', 'import', '--all-platforms', '--no-unpack', '--base-name=imported', archive),
    )
    await ctr('images', 'push', '--plain-http', ...account, reference, 'imported:latest')
  }

  const pull = async (reference: string, ...options: readonly string[]) => {
    await forgetAll()
    await ctr('images', 'pull', '--plain-http', '--snapshotter=native', ...account, ...options, reference)
    const [, line = ''] = (await ctr('images', 'ls', `name==${reference}`)).split('\n')
    const [, , digest = ''] = line.split(/\s+/)
    return digest
  }

  return {
    push,
    pull: async (reference) => readImage(contentStore, await pull(reference)),
    pushIndex: push,
    pullIndex: async (reference) => readIndex(contentStore, await pull(reference, '--all-platforms')),
    async login(_host, user, password) {
      account = ['--user', `${user}:${password}`]
    },
    async signOut() {
      account = []
    },
    async useToken(_host, { kind, text }) {
      if (kind === 'access') throw new Error('ctr is given no access tokens')
      account = ['--refresh', text]
    },
    stop,
  }
}
