// The content store of the embedded node. The bucket's blobs are its blocks (shared/registry/published-blocks.ts), and
// what is published is decided when a block is asked for: so there is nothing to copy, to keep or to let go of.

import type { ContentStore } from '../../shared/ports/content-store.ts'

export const embeddedStore: ContentStore = {
  async add() {},
  async publish() {},
  async unpublish() {},
  async *published() {},
}
