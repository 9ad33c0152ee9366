// Finds views for an edge, and remembers those it found for a short time.

import { LRUCache } from 'lru-cache'
import type { ContentName } from '../protocol/names.ts'
import { type ContentView, findView, type ViewDeps, type Views } from '../registry/content-view.ts'

/** Milliseconds; an image that is no longer public is gone from every edge after at most so long. */
const rememberMs = 60_000

/** Digests in the walks of all that is remembered; each takes some 300 bytes. */
const rememberLimit = 20_000

/** Only what is there is remembered: an image that is pushed after it was asked for is seen at once. */
export function createViewFinder(deps: ViewDeps): Views {
  const remembered = new LRUCache<string, ContentView>({
    maxSize: rememberLimit,
    sizeCalculation: (view) => view.image.walk.length,
    ttl: rememberMs,
    ttlResolution: 0,
    perf: { now: () => deps.clock.now() },
  })
  return {
    async find(name: ContentName, wait) {
      const key = name.kind === 'cid' ? name.root : name.digest
      const known = remembered.get(key)
      if (known !== undefined) return known
      const view = await findView(deps, name, wait)
      if (view !== undefined) remembered.set(key, view)
      return view
    },
  }
}
