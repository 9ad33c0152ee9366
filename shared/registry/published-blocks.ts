// The blocks of published images: a view over the bucket's blobs, so that IPFS costs no second copy. Only what the root
// of a public image reaches is handed out, and only once that root was asked for, as everyone begins with it.

import { LRUCache } from 'lru-cache'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { LocalBlocks } from '../ports/local-blocks.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import type { Cid } from '../protocol/cid.ts'
import { parseRootCid } from '../protocol/names.ts'
import { type ContentView, mayServeFromBucket, type ViewDeps, type Views } from './content-view.ts'
import { type BlockPlace, imageBlocks, readBlock } from './image-blocks.ts'

/** Blocks of all roots that are remembered; each takes some 300 bytes. */
const rememberLimit = 200_000

type Places = ReadonlyMap<Cid, BlockPlace>

export interface PublishedBlocksDeps extends Pick<ViewDeps, 'access'> {
  readonly bucket: Bucket
  /** Asked for each block, so better one that remembers. */
  readonly views: Views
}

export function createPublishedBlocks(deps: PublishedBlocksDeps): LocalBlocks {
  const { bucket, views } = deps
  const remembered = new LRUCache<Cid, Places>({ maxSize: rememberLimit, sizeCalculation: (places) => places.size + 1 })
  const flights = new Map<Cid, Promise<Places>>()

  /** One look at an image at a time, for all who ask; it goes on when who asked first has gone. */
  function look(root: Cid, view: ContentView): Promise<Places> {
    const flight =
      flights.get(root) ??
      placesOf(deps, root, view, unhurried)
        .then((places) => {
          if (places.size > 0) remembered.set(root, places)
          return places
        })
        .finally(() => flights.delete(root))
    flights.set(root, flight)
    return flight
  }

  return {
    async get(cid, wait) {
      for (const [root, places] of remembered.entries()) {
        const place = places.get(cid)
        if (place === undefined) continue
        // Public a moment ago is not public now.
        if ((await views.find({ kind: 'cid', root }, wait)) !== undefined) return readBlock(bucket, place, wait)
        remembered.delete(root)
      }
      const root = parseRootCid(cid)
      const view = root && (await views.find({ kind: 'cid', root }, wait))
      const place = root && view && (await orAborted(wait.signal, look(root, view))).get(cid)
      return place && readBlock(bucket, place, wait)
    },
  }
}

/** Every block of an image. One of which something is missing, or may not be had from here, has none. */
async function placesOf(deps: PublishedBlocksDeps, root: Cid, view: ContentView, wait: Wait): Promise<Places> {
  for (const { digest, sizeBytes } of view.image.walk) {
    if (!(await mayServeFromBucket(deps, view, digest, wait))) return new Map()
    if ((await deps.bucket.head(blobKey(digest), wait)) !== sizeBytes) return new Map()
  }
  const blocks = await imageBlocks(deps.bucket, view.image, wait)
  // A root that others made differently reaches other blocks, which are not here.
  return blocks.root === root ? blocks.places : new Map()
}
