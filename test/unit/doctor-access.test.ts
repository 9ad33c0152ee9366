// What doctor says of the rules and keys that edges are told, and what it leaves behind.

import { describe, expect, test } from 'vitest'
import { accessChecks } from '../../origin/doctor/access-checks.ts'
import { runChecks } from '../../origin/doctor/check.ts'
import { createScratch } from '../../origin/doctor/scratch.ts'
import { publishAccess } from '../../shared/auth/access-document.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import { accessKey, probeKey } from '../../shared/layout/keys.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { collect } from '../support/collect.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const clock = createFakeClock()
const signingKey: PublicKey = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'one' }
const document = { rules: { anonymous: 'pull', delete: false } as const, loopback: false, keys: [] }
const bucketOk = { name: 'bucket', why: '', mend: '', run: async () => ({ ok: '' }) }

async function lookAt(objects: Objects) {
  const reader = createMemoryBucket(objects)
  const checks = [bucketOk, ...accessChecks({ reader, clock, document, signingKey })]
  return (await collect(runChecks(checks, { clock, timeoutMs: 1000, wait: unhurried }))).slice(1)
}

async function published(keys: PublicKey[]): Promise<Objects> {
  const objects: Objects = new Map()
  await publishAccess(createMemoryBucket(objects), { ...document, keys }, unhurried)
  return objects
}

describe('the rules and keys of edges', () => {
  test('are well where they are as here', async () => {
    expect((await lookAt(await published([signingKey]))).map(({ state }) => state)).toEqual(['ok', 'ok'])
  })

  test.each([
    ['of the same name and another key', { ...signingKey, x: 'other' }, /not among those/],
    ['that is out of use', { ...signingKey, until: clock.now() }, /out of use/],
  ])('are at fault with a key %s', async (_, key, seen) => {
    const [rules, keys] = await lookAt(await published([key]))
    expect(rules).toMatchObject({ state: 'ok' })
    expect(keys).toMatchObject({ state: 'fault', seen: expect.stringMatching(seen) as string })
  })

  test('are one fault where the object is damaged', async () => {
    const outcomes = await lookAt(new Map([[accessKey, new TextEncoder().encode('{')]]))
    expect(outcomes).toMatchObject([
      { state: 'fault', seen: expect.stringMatching(/not understood/) as string },
      { state: 'skipped' },
    ])
  })
})

describe('what was written for a look', () => {
  test('is removed, and nothing else', async () => {
    const objects: Objects = new Map([[accessKey, new Uint8Array(1)]])
    const scratch = createScratch(async () => createMemoryBucket(objects))
    await scratch.write(probeKey('one'), new Uint8Array(1), unhurried)
    await scratch.write(probeKey('two'), new Uint8Array(1), unhurried)
    await scratch.remove(probeKey('one'), unhurried)
    expect(await scratch.clear(unhurried)).toEqual([])
    expect([...objects.keys()]).toEqual([accessKey])
  })

  test('is told where it cannot be removed', async () => {
    const bucket = createMemoryBucket()
    const remove = () => Promise.reject(new Error('no right'))
    const scratch = createScratch(async () => ({ ...bucket, remove }))
    await scratch.write(probeKey('one'), new Uint8Array(1), unhurried)
    expect(await scratch.clear(unhurried)).toEqual([probeKey('one')])
  })

  test('opens no bucket where nothing was', async () => {
    const scratch = createScratch(() => Promise.reject(new Error('was opened')))
    expect(await scratch.clear(unhurried)).toEqual([])
  })
})
