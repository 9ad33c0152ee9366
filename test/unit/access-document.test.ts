// What is published of access: the same for the same rules, and keys that change beside rules that stay.

import { expect, test } from 'vitest'
import { isPublished, parseAccessDocument, publishAccess, publishKeys } from '../../shared/auth/access-document.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import { accessKey } from '../../shared/layout/keys.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'

const key = (kid: string): PublicKey => ({ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid })
const rules = {
  service: 'mirrorball',
  anonymous: 'pull',
  users: 'push',
  delete: true,
  fetch: false,
  private: ['team/**'],
  groups: [{ name: 'team', users: ['alice'] }],
  rules: [{ repositories: ['team/**'], users: ['@team'], anonymous: false, rights: ['push'] }],
  immutableTags: ['app:v*'],
} satisfies Parameters<typeof publishAccess>[1]['rules']
const document = { rules, loopback: false, keys: [key('one')] }

function watched() {
  const objects: Objects = new Map()
  const memory = createMemoryBucket(objects)
  const writes: string[] = []
  const bucket: Bucket = {
    ...memory,
    async write(at, ...rest) {
      writes.push(at)
      await memory.write(at, ...rest)
    },
  }
  return { objects, bucket, writes, read: () => parseAccessDocument(objects.get(accessKey) ?? new Uint8Array()) }
}

test('is all of it, and written where it differs alone', async () => {
  const { bucket, writes, read } = watched()
  expect(await isPublished(bucket, document, unhurried)).toBe(false)
  expect(await publishAccess(bucket, document, unhurried)).toBe(true)
  expect(read()).toMatchObject(document)
  const { anonymous, ...rest } = rules
  // The order of names makes no difference.
  expect(await publishAccess(bucket, { ...document, rules: { ...rest, anonymous } }, unhurried)).toBe(false)
  expect(await isPublished(bucket, document, unhurried)).toBe(true)
  expect(writes).toEqual([accessKey])
})

test.each([
  ['rules', { rules: { ...rules, private: ['team/**', 'secret'] } }],
  ['keys', { keys: [key('two')] }],
  ['where they count', { loopback: true }],
])('differs by %s', async (_, changes) => {
  const { bucket, read } = watched()
  await publishAccess(bucket, document, unhurried)
  const changed = { ...document, ...changes }
  expect(await isPublished(bucket, changed, unhurried)).toBe(false)
  expect(await publishAccess(bucket, changed, unhurried)).toBe(true)
  expect(read()).toMatchObject(changed)
})

test('of other keys keeps the rules that are there', async () => {
  const { bucket, read } = watched()
  await publishAccess(bucket, document, unhurried)
  await publishKeys(bucket, [key('two'), { ...key('one'), until: 5 }], unhurried)
  expect(read()).toMatchObject({ ...document, keys: [key('two'), { ...key('one'), until: 5 }] })
})

test('of keys is nothing before there are rules, and refused where those cannot be read', async () => {
  const { bucket, objects, writes } = watched()
  await publishKeys(bucket, [key('two')], unhurried)
  expect(objects.size).toBe(0)
  objects.set(accessKey, new TextEncoder().encode('{"keys":[]}'))
  await expect(publishKeys(bucket, [key('two')], unhurried)).rejects.toThrow(/restart the origin/)
  expect(writes).toEqual([])
})

test('is not more than edges would read', async () => {
  const { bucket, objects } = watched()
  const many = { ...rules, private: Array.from({ length: 100_000 }, (_, at) => `team/number-${at}`) }
  await expect(publishAccess(bucket, { ...document, rules: many }, unhurried)).rejects.toThrow(/no more than 1048576/)
  expect(objects.size).toBe(0)
})
