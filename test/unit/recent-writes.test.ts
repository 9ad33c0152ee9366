import { expect, test } from 'vitest'
import { createRecentWrites } from '../../origin/bucket/recent-writes.ts'
import { blobKey, layerLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { sha256 } from '../support/image.ts'

const digest = sha256('a blob') as Digest
const name = 'team/app' as RepositoryName

test.each([blobKey(digest), layerLinkKey(name, digest)])(
  '%s is known for half a minute, and not longer',
  async (key) => {
    const clock = createFakeClock()
    const writes = createRecentWrites(clock)
    writes.wrote(key, 6)
    clock.advance(29_999)
    expect(writes.sizeOf(key)).toBe(6)
    clock.advance(1)
    expect(writes.sizeOf(key)).toBeUndefined()
  },
)

test('what was removed is not known', () => {
  const writes = createRecentWrites(createFakeClock())
  writes.wrote(blobKey(digest), 6)
  writes.removed(blobKey(digest))
  expect(writes.sizeOf(blobKey(digest))).toBeUndefined()
})

test('what may change is never known', () => {
  const writes = createRecentWrites(createFakeClock())
  const key = tagLinkKey(name, 'latest' as Tag)
  writes.wrote(key, 71)
  expect(writes.sizeOf(key)).toBeUndefined()
})
