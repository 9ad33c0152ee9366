// What becomes of a push by its repository: which one holds the manifest, and whether its blobs go to IPFS as they arrive.

import { expect, test } from 'vitest'
import { embeddedStore } from '../../origin/ipfs/embedded-store.ts'
import type { AccessRules } from '../../shared/auth/access.ts'
import { type Digest, hexOf } from '../../shared/protocol/digest.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'
import { createPublisher, type PushedNames } from '../../shared/registry/publish-image.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { silentLog } from '../support/silent-log.ts'

const access: AccessRules = { anonymous: 'push', delete: true, private: ['secret/**', '*b'] }
const digest = sha256('a manifest') as Digest
const sha512 = `sha512:${'a'.repeat(128)}` as Digest

/** The pattern for names that end with b is meant for other names, and closes this one. */
const closed = `sha256:${'b'.repeat(64)}` as Digest

const rows: readonly (readonly [PushedNames, string, Digest, string])[] = [
  ['any', 'team/app', digest, 'team/app'],
  ['any', 'secret/app', digest, 'secret/app'],
  ['content-only', 'team/app', digest, hexOf(digest)],
  ['content-only', 'team/app', sha512, hexOf(sha512)],
  // It has no content names, and would be lost without its own.
  ['content-only', 'secret/app', digest, 'secret/app'],
  ['content-only', 'team/app', closed, 'team/app'],
]

test.each(rows)('with push.names %s, what is pushed to %s as %s is held by %s', (names, name, manifest, holder) => {
  const publisher = createPublisher({
    bucket: createMemoryBucket(),
    access,
    log: silentLog,
    store: embeddedStore,
    names,
  })
  expect(publisher.holderOf(name as RepositoryName, manifest)).toBe(holder)
})

test.each([
  ['team/app', true],
  ['secret/app', false],
])('a blob that is uploaded to %s is copied as it arrives: %s', (name, isCopied) => {
  const arriving = { write: async () => {}, end: async () => undefined, abort() {} }
  const publisher = createPublisher({
    bucket: createMemoryBucket(),
    access,
    log: silentLog,
    store: { ...embeddedStore, arriving: () => arriving },
    names: 'any',
  })
  expect(publisher.blobArriving(name as RepositoryName)).toBe(isCopied ? arriving : undefined)
})
