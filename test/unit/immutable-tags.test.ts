// Immutable tags where writes take their time: what is under way counts as much as what is there.

import { expect, test } from 'vitest'
import { allBlockedPrefix, tagLinkKey } from '../../shared/layout/keys.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { digestOf } from '../../shared/protocol/digest.ts'
import { deleteManifest } from '../../shared/registry/delete.ts'
import { createImmutableTags } from '../../shared/registry/immutable-tags.ts'
import { hasManifest, readTag } from '../../shared/registry/links.ts'
import { pushManifest, type PushRules } from '../../shared/registry/push-manifest.ts'
import { ociIndexType } from '../support/http-client.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { eventually } from '../support/stack.ts'
import { repository, tag } from '../support/arbitraries.ts'

const name = repository('team/app')
const v1 = tag('v1')

function registry() {
  const plain = createMemoryBucket()
  const held: string[] = []
  const writes = Promise.withResolvers<void>()
  let begun = 0
  /** Links of tags are written only when they are let go, whoever waits. */
  const hold = async (key: string) => {
    if (!key.endsWith('/current/link')) return
    held.push(key)
    await writes.promise
  }
  const bucket: Bucket = {
    ...plain,
    head(key, wait) {
      if (key.startsWith(allBlockedPrefix)) begun += 1
      return plain.head(key, wait)
    },
    async write(key, bytes, wait) {
      await hold(key)
      await plain.write(key, bytes, wait)
    },
    async create(key, bytes, wait) {
      await hold(key)
      return plain.create(key, bytes, wait)
    },
  }
  const origin = (): PushRules => ({ allowSparse: false, immutable: createImmutableTags(['team/**:v*']) })
  const rules = origin()
  return {
    bucket,
    rules,
    held,
    /** Waits until so many pushes looked whether they are blocked, and have come as far as they can since. */
    begun: async (pushes: number) => {
      await eventually(`${pushes} pushes begin`, () => begun === pushes)
      await new Promise((done) => setImmediate(done))
    },
    letGo: () => writes.resolve(),
    digestOf: (seed: string) => digestOf(contentOf(seed), 'sha256'),
    /** The rules of another process on the bucket. */
    origin,
    push: (seed: string, of = v1, signal = unhurried.signal, by = rules) => {
      const bytes = contentOf(seed)
      const reference = { kind: 'tag', tag: of } as const
      return pushManifest(bucket, { name, reference, bytes, contentType: undefined, tags: [] }, by, { signal })
    },
  }
}

function contentOf(seed: string) {
  const content = { schemaVersion: 2, mediaType: ociIndexType, manifests: [], annotations: { seed } }
  return new TextEncoder().encode(JSON.stringify(content))
}

test('of two first pushes at once the first stays, and the second is refused', async () => {
  const { push, begun, held, letGo, bucket } = registry()
  const both = Promise.allSettled([push('one'), push('two')])
  await begun(2)
  expect(held).toEqual([tagLinkKey(name, v1)])
  letGo()
  const outcomes = await both
  const [taken, refused] = outcomes.sort((one, other) => (one.status < other.status ? -1 : 1))
  expect(refused).toMatchObject({ reason: { code: 'DENIED', detail: expect.stringContaining('immutable') } })
  expect(taken).toMatchObject({ value: { digest: await readTag(bucket, name, v1, unhurried) } })
})

test('of two first pushes at once at two origins one sets the tag, and the other is refused', async () => {
  const { push, begun, held, letGo, bucket, origin } = registry()
  const both = Promise.allSettled([push('one'), push('two', v1, unhurried.signal, origin())])
  await begun(2)
  expect(held).toHaveLength(2)
  letGo()
  const [taken, refused] = (await both).sort((one, other) => (one.status < other.status ? -1 : 1))
  expect(refused).toMatchObject({ reason: { code: 'DENIED', detail: expect.stringContaining('immutable') } })
  expect(taken).toMatchObject({ value: { digest: await readTag(bucket, name, v1, unhurried) } })
})

test('the same one at two origins at once is taken twice', async () => {
  const { push, begun, letGo, origin } = registry()
  const both = [push('one'), push('one', v1, unhurried.signal, origin())]
  await begun(2)
  letGo()
  const [one, two] = await Promise.all(both)
  expect(one).toEqual(two)
})

test('the same one twice at once is taken twice', async () => {
  const { push, letGo } = registry()
  const both = [push('one'), push('one')]
  letGo()
  const [one, two] = await Promise.all(both)
  expect(one).toEqual(two)
})

test('other tags do not wait', async () => {
  const { push, begun, held, letGo } = registry()
  const all = [push('one'), push('two', tag('v2')), push('three', tag('latest')), push('four', tag('latest'))]
  await begun(4)
  expect(held).toHaveLength(4)
  letGo()
  await Promise.all(all)
})

test('a push whose client has left may still set its tag, and the next is refused then', async () => {
  const { push, begun, held, letGo, bucket, digestOf } = registry()
  const leaves = new AbortController()
  const one = push('one', v1, leaves.signal)
  await begun(1)
  leaves.abort(new Error('left'))
  await expect(one).rejects.toThrow('left')
  const two = Promise.allSettled([push('two')])
  await begun(2)
  expect(held).toHaveLength(1)
  letGo()
  expect(await two).toMatchObject([{ reason: { code: 'DENIED' } }])
  expect(await readTag(bucket, name, v1, unhurried)).toBe(await digestOf('one'))
})

test('a manifest that is being tagged is not deleted meanwhile', async () => {
  const { push, begun, held, letGo, bucket, rules, digestOf } = registry()
  const digest = await digestOf('one')
  const pushed = push('one')
  await begun(1)
  expect([held.length, await hasManifest(bucket, name, digest, unhurried)]).toEqual([1, true])
  const deleted = Promise.allSettled([deleteManifest(bucket, rules, name, digest, unhurried)])
  await begun(1)
  letGo()
  await pushed
  expect(await deleted).toMatchObject([{ reason: { code: 'DENIED' } }])
  expect(await hasManifest(bucket, name, digest, unhurried)).toBe(true)
})
