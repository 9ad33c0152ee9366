// Takes content away behind Mirrorball's back, as disks, garbage collectors and people do.

import type { Kubo } from '../ipfs/kubo.ts'

/** Everything that is pinned or in the mutable file system of a Kubo, and then its garbage: it has nothing left. */
export async function purgeKubo(kubo: Kubo): Promise<void> {
  const { rpc } = kubo
  for await (const { name } of rpc.files.ls('/')) await rpc.files.rm(`/${name}`, { recursive: true })
  const pins = []
  for await (const { cid } of rpc.pin.ls({ type: 'recursive' })) pins.push(cid)
  for (const cid of pins) await rpc.pin.rm(cid)
  await kubo.collectGarbage()
}

/** Where the bytes of a blob are in a bucket's folder. */
export function blobPathOf(digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':')
  return `docker/registry/v2/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`
}
