// Published images in a Kubo node: their blobs are added ahead, their directories with the image; what is kept is under
// recursive pins of one name. Nothing of an image is safe from Kubo's garbage collection before its pin.

import { LRUCache } from 'lru-cache'
import pMap from 'p-map'
import { leafBytes } from '../../../shared/ipfs/cid.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { ArrivingFile, ContentFile, ContentImage, ContentStore } from '../../../shared/ports/content-store.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { createAbandonableFlights } from './abandonable-flights.ts'
import { addFile, createArrivals } from './kubo-add.ts'
import { createKuboBlocks } from './kubo-blocks.ts'
import type { KuboClient } from './kubo-client.ts'
import { createKuboPins, findMissing } from './kubo-pins.ts'

export interface KuboStoreDeps {
  readonly kubo: KuboClient
  readonly clock: Clock
}

const largeFilesAtOnce = 4
/** Files this store remembers to have added. */
const rememberedFiles = 20_000

/** Other pins of the node are not touched, but for one: an image's root that is pinned under another name is taken over. */
export function createKuboStore({ kubo, clock }: KuboStoreDeps): ContentStore {
  const blocks = createKuboBlocks(kubo, clock)
  const pins = createKuboPins(kubo, clock)
  const [adds, publications] = [createAbandonableFlights(), createAbandonableFlights()]
  // Only a hint: Kubo may have collected them since.
  const added = new LRUCache<Cid, true>({ max: rememberedFiles })

  async function add(file: ContentFile, when: 'now' | 'soon', wait: Wait, arriving?: ArrivingFile): Promise<void> {
    try {
      await adds.join(file.cid, wait, async (wait) => {
        if (isLeaf(file)) await blocks.put({ ...file, read: () => readWhole(file, wait) }, when, wait)
        else if ((await orAborted(wait.signal, Promise.resolve(arriving?.end()))) !== file.cid)
          await addFile(kubo, file, wait)
        added.set(file.cid, true)
      })
    } finally {
      // Another may have been copied in its place.
      arriving?.abort()
    }
  }

  /** Looks first: a file of other images need not be sent again. */
  const addLarge = async (file: ContentFile, wait: Wait) => {
    if ((await findMissing(kubo, file.cid, wait)) === undefined) added.set(file.cid, true)
    else await add(file, 'now', wait)
  }

  async function supply(image: ContentImage, wait: Wait): Promise<void> {
    const unknown = image.files.filter(({ cid }) => !added.has(cid))
    const large = unknown.filter((file) => !isLeaf(file))
    // Where one fails the flight ends, and its signal stops the others. What waits for company goes with the directory.
    await Promise.all([
      ...image.blocks.map(({ cid, bytes }) =>
        blocks.put({ cid, sizeBytes: bytes.byteLength, read: async () => bytes }, 'now', wait),
      ),
      ...unknown.filter(isLeaf).map((file) => add(file, 'now', wait)),
      pMap(large, (file) => addLarge(file, wait), { concurrency: largeFilesAtOnce, signal: wait.signal }),
    ])
  }

  async function publish(image: ContentImage, wait: Wait): Promise<void> {
    // What is pinned is whole. To pin it again would take the pin away first, and lose it if this call broke.
    if (await pins.has(image.root, wait)) return
    const sizeBytes = image.files.reduce((sum, file) => sum + file.sizeBytes, 0)
    await supply(image, wait)
    if ((await pins.add(image.root, sizeBytes, wait)) === undefined) return
    for (const { cid } of image.files) added.delete(cid)
    await supply(image, wait)
    const missing = await pins.add(image.root, sizeBytes, wait)
    if (missing !== undefined) throw new UpstreamError('ipfs', `image ${image.root} is not whole in Kubo: ${missing}`)
  }

  return {
    add: (file, wait, arriving) => add(file, 'soon', wait, arriving),
    arriving: createArrivals(kubo),
    publish: (image, wait) => publications.join(image.root, wait, (wait) => publish(image, wait)),
    async unpublish(root, wait) {
      if (await pins.has(root, wait)) await pins.remove(root, wait)
    },
    published: (wait) => pins.list(wait),
  }
}

/** A file of at most one leaf is that leaf: a raw block. */
function isLeaf(file: ContentFile): boolean {
  return file.sizeBytes <= leafBytes
}

async function readWhole(file: ContentFile, wait: Wait): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.sizeBytes)
  let at = 0
  for await (const chunk of await file.open(wait)) {
    if (at + chunk.byteLength > bytes.byteLength) throw wrongSize(file, `over ${bytes.byteLength}`)
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  if (at < bytes.byteLength) throw wrongSize(file, String(at))
  return bytes
}

function wrongSize(file: ContentFile, found: string): UpstreamError {
  return new UpstreamError('bucket', `the file ${file.cid} has ${found} bytes instead of ${file.sizeBytes}`)
}
