// Accounts in a bucket: who has another secret, the move from a folder, and what is read once for many.

import { beforeEach, describe, expect, test } from 'vitest'
import { createBucketRecords, proveSeal } from '../../origin/accounts/bucket-records.ts'
import { randomKey } from '../../origin/accounts/random-key.ts'
import { type Records, SealedRecordError } from '../../origin/accounts/records.ts'
import { rememberRecords } from '../../origin/accounts/remembered-records.ts'
import { takeRecords } from '../../origin/accounts/take-records.ts'
import { DamagedTokenError, openTokens } from '../../origin/accounts/token-store.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'

const wait = new AbortController()
const secret = 'a-secret-of-all-origins-of-the-test'

let objects: Objects
let bucket: Bucket
let records: Records

beforeEach(async () => {
  objects = new Map()
  bucket = createMemoryBucket(objects)
  records = await createBucketRecords(bucket, secret)
})

const another = () => createBucketRecords(bucket, `${secret}-another`)
const place = () => createBucketRecords(createMemoryBucket(), secret)

describe('the bucket', () => {
  test('shows nothing of keys and tokens but the ids of tokens', async () => {
    const key = await randomKey(records, 'upload-key', wait)
    const limits = [{ repositories: 'secret-team/**', rights: ['pull'] as const }]
    const { token } = await openTokens(records).create({ user: 'alice', name: 'ci', limits, created: new Date() }, wait)
    expect([...objects.keys()].toSorted()).toEqual([
      `mirrorball/accounts/tokens/${token.id}.json`,
      'mirrorball/accounts/upload-key',
    ])
    const all = [...objects.values()].map((bytes) => Buffer.from(bytes).toString('latin1')).join()
    for (const hidden of [Buffer.from(key).toString('base64url'), 'alice', 'secret-team', token.secretSha256, token.id])
      expect(all).not.toContain(hidden)
  })

  test('does not give one record for another', async () => {
    await records.create('tokens/abcdefgh2345.json', 'a', wait)
    const bytes = objects.get('mirrorball/accounts/tokens/abcdefgh2345.json') ?? new Uint8Array()
    objects.set('mirrorball/accounts/tokens/bbcdefgh2345.json', bytes)
    await expect(records.read('tokens/bbcdefgh2345.json', wait)).rejects.toThrow(SealedRecordError)
  })

  test('has one key for all who make it at once', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => randomKey(records, 'upload-key', wait)))
    expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1)
  })

  test('has made a record whose answer was lost', async () => {
    const losing: Bucket = {
      ...bucket,
      async create(key, bytes, until) {
        await bucket.create(key, bytes, until)
        return false
      },
    }
    expect(await (await createBucketRecords(losing, secret)).create('some-key', 'text', wait)).toBe(true)
  })
})

describe('another secret', () => {
  test('is told from the first one, which is proven again and again', async () => {
    await proveSeal(records, wait)
    await proveSeal(records, wait)
    await expect(proveSeal(await another(), wait)).rejects.toThrow(
      'mirrorball/accounts/seal in the bucket cannot be opened: it was sealed with another origin.key',
    )
  })

  test('is told where both come first at once', async () => {
    const other = await another()
    const results = await Promise.allSettled([proveSeal(records, wait), proveSeal(other, wait)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('makes no key where there is one that it cannot open', async () => {
    await randomKey(records, 'upload-key', wait)
    const before = objects.get('mirrorball/accounts/upload-key')
    await expect(randomKey(await another(), 'upload-key', wait)).rejects.toThrow('sealed with another origin.key')
    expect(objects.get('mirrorball/accounts/upload-key')).toBe(before)
  })

  test('makes a token a damaged one, which can be revoked', async () => {
    const { token } = await openTokens(records).create({ user: 'alice', created: new Date() }, wait)
    await openTokens(records).recordUse(token.id, new Date(), wait)
    const tokens = openTokens(await another())
    await expect(tokens.read(token.id, wait)).rejects.toThrow(DamagedTokenError)
    expect(await tokens.lastUsed(token.id, wait)).toBeUndefined()
    expect(await tokens.remove(token.id, wait)).toBe(true)
    expect(objects.size).toBe(0)
  })
})

describe('the move', () => {
  const tokens = ['tokens/abcdefgh2345.json', 'tokens/abcdefgh2345.used']
  const moved = ['token-key.json', 'upload-key', 'edge-key', 'credential-key', ...tokens]
  const kept = ['bucket-key.json', 'ipfs-key', 'tokens/README', 'tokens/abcdefgh2345.json.0123456789abcdef']
  const none = { taken: [], left: [] }

  async function fill(from: Records, text: string): Promise<void> {
    for (const name of [...moved, ...kept]) await from.create(name, `${name} ${text}`, wait)
  }
  const textsOf = (of: Records) => Promise.all([...moved, ...kept].map((name) => of.read(name, wait)))

  test('takes what several origins share, once', async () => {
    const from = await place()
    await fill(from, 'one')
    expect(await takeRecords({ from, to: records }, wait)).toEqual({ taken: moved, left: [] })
    const all = [...moved.map((name) => `${name} one`), ...kept.map(() => undefined)]
    expect(await textsOf(records)).toEqual(all)
    await records.remove('tokens/abcdefgh2345.json', wait)
    expect(await takeRecords({ from, to: records }, wait)).toEqual(none)
    expect(await records.read('tokens/abcdefgh2345.json', wait)).toBeUndefined()
  })

  test('leaves what is there already', async () => {
    const from = await place()
    await fill(from, 'one')
    await records.create('upload-key', 'there before', wait)
    const taken = moved.filter((name) => name !== 'upload-key')
    expect(await takeRecords({ from, to: records }, wait)).toEqual({ taken, left: ['upload-key'] })
    expect(await records.read('upload-key', wait)).toBe('there before')
  })

  test('of an empty folder is none: that of another origin is taken later', async () => {
    const [empty, full] = [await place(), await place()]
    await fill(full, 'one')
    expect(await takeRecords({ from: empty, to: records }, wait)).toEqual(none)
    expect(await takeRecords({ from: full, to: records }, wait)).toEqual({ taken: moved, left: [] })
  })

  test('of a second folder is none', async () => {
    const [first, second] = [await place(), await place()]
    await first.create('upload-key', 'first', wait)
    await fill(second, 'second')
    await takeRecords({ from: first, to: records }, wait)
    expect(await takeRecords({ from: second, to: records }, wait)).toEqual(none)
    expect(await records.names('tokens', wait)).toEqual([])
  })

  test('that broke off goes on', async () => {
    const from = await place()
    await fill(from, 'one')
    let left = 3
    const failing: Records = {
      ...records,
      async create(...args) {
        left -= 1
        if (left < 0) throw new Error('power cut')
        return records.create(...args)
      },
    }
    await expect(takeRecords({ from, to: failing }, wait)).rejects.toThrow('power cut')
    await takeRecords({ from, to: records }, wait)
    expect((await textsOf(records)).filter((text) => text !== undefined)).toHaveLength(6)
  })
})

describe('what is remembered', () => {
  function counted() {
    const state = { reads: 0, fails: false }
    const inner: Records = {
      ...records,
      async read(...args) {
        state.reads += 1
        if (state.fails) throw new Error('the bucket is in error')
        return records.read(...args)
      },
    }
    const clock = createFakeClock()
    return { state, clock, remembered: rememberRecords(inner, clock) }
  }

  test('is read once a second, however many ask, also where there is nothing', async () => {
    const { state, clock, remembered } = counted()
    await records.create('there', 'text', wait)
    const ask = (name: string) => Promise.all(Array.from({ length: 50 }, () => remembered.read(name, wait)))
    expect(new Set(await ask('there'))).toEqual(new Set(['text']))
    expect(new Set(await ask('missing'))).toEqual(new Set([undefined]))
    clock.advance(999)
    await ask('there')
    await ask('missing')
    expect(state.reads).toBe(2)
    await records.remove('there', wait)
    await records.create('missing', 'made', wait)
    clock.advance(1)
    expect([await remembered.read('there', wait), await remembered.read('missing', wait)]).toEqual([undefined, 'made'])
    expect(state.reads).toBe(4)
  })

  test('does not outlive a change of its own', async () => {
    const { remembered } = counted()
    expect(await remembered.read('a', wait)).toBeUndefined()
    await remembered.create('a', 'one', wait)
    expect(await remembered.read('a', wait)).toBe('one')
    await remembered.replace('a', 'two', wait)
    expect(await remembered.read('a', wait)).toBe('two')
    await remembered.remove('a', wait)
    expect(await remembered.read('a', wait)).toBeUndefined()
  })

  test('is no failure: who asks next asks anew', async () => {
    const { state, remembered } = counted()
    await records.create('there', 'text', wait)
    state.fails = true
    await expect(remembered.read('there', wait)).rejects.toThrow('the bucket is in error')
    state.fails = false
    expect(await remembered.read('there', wait)).toBe('text')
  })

  test('counts no longer when the clock was set back', async () => {
    const { state, clock, remembered } = counted()
    await remembered.read('there', wait)
    clock.advance(-3600_000)
    await remembered.read('there', wait)
    expect(state.reads).toBe(2)
  })

  test('comes to those who stay, when the one who asked first leaves', async () => {
    const { remembered } = counted()
    await records.create('there', 'text', wait)
    const leaving = new AbortController()
    const [first, second] = [remembered.read('there', leaving), remembered.read('there', wait)]
    leaving.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    expect(await second).toBe('text')
  })
})
