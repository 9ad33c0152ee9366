// The access rules and keys of an edge: when they are read, and what counts while they cannot be.

import { beforeEach, describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import type { AccessDocument } from '../../shared/auth/access-document.ts'
import type { CurrentPolicy } from '../../shared/auth/policy.ts'
import { accessKnown, createPublishedAccess, type PublishedAccessDeps } from '../../shared/edge/published-access.ts'
import { accessKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { publishTo } from '../support/access/published-rules.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'

const second = 1000
const minute = 60 * second
const timeoutMs = 1000
const open = { anonymous: 'pull', delete: false } satisfies AccessRules
const closed = { anonymous: 'none', delete: false, private: ['**'] } satisfies AccessRules

let clock: FakeClock
let log: RecordingLog
let objects: Objects
let reads: number
let broken: Error | undefined
let signal: AbortSignal

beforeEach(() => {
  clock = createFakeClock()
  log = createRecordingLog()
  objects = new Map()
  reads = 0
  broken = undefined
  signal = new AbortController().signal
})

const publish = (changes: Partial<AccessDocument>) => publishTo(createMemoryBucket(objects), changes)
const put = (text: string) => objects.set(accessKey, new TextEncoder().encode(text))

function edge(more: Partial<PublishedAccessDeps> = {}): CurrentPolicy {
  const memory = createMemoryBucket(objects)
  const bucket: BucketReader = {
    ...memory,
    async read(...args) {
      reads += 1
      if (broken !== undefined) throw broken
      return memory.read(...args)
    },
  }
  return createPublishedAccess({ bucket, clock, log, timeoutMs, readOnly: false, onLoopback: false, ...more })
}

const rulesOf = async (policy: CurrentPolicy) => (await policy({ signal })).access
const warnings = () => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
const fails = new UpstreamError('bucket', 'it is down')

describe('an edge', () => {
  test('reads once a minute, and has what it knows at once', async () => {
    await publish({ rules: open })
    const policy = edge()
    const first = await policy({ signal })
    expect(first.access).toEqual(open)
    clock.advance(minute - 1)
    // No promise, so that nobody waits for it.
    expect(policy({ signal })).toBe(first)
    expect(reads).toBe(1)
    clock.advance(1)
    expect(await policy({ signal })).toBe(first)
    expect(reads).toBe(2)
  })

  test('follows a change when the minute is over', async () => {
    await publish({ rules: open })
    const policy = edge()
    await rulesOf(policy)
    await publish({ rules: closed })
    clock.advance(minute - 1)
    expect(await rulesOf(policy)).toEqual(open)
    clock.advance(1)
    expect(await rulesOf(policy)).toEqual(closed)
  })

  test('asks for tokens where the rules have users, of the service that they name', async () => {
    await publish({ rules: open })
    const policy = edge()
    expect((await policy({ signal })).auth).toBeUndefined()
    for (const service of ['one', 'two']) {
      await publish({ rules: { ...closed, service } })
      clock.advance(minute)
      expect((await policy({ signal })).auth?.service).toBe(service)
    }
  })

  test('goes on with what it knows while one request reads, and is not taken back by a slow one', async () => {
    await publish({ rules: open })
    const memory = createMemoryBucket(objects)
    const answers: (() => void)[] = []
    const bucket: BucketReader = {
      ...memory,
      async read(...args) {
        const bytes = await memory.read(...args)
        if (clock.now() > start) await new Promise<void>((answer) => answers.push(answer))
        return bytes
      },
    }
    const start = clock.now()
    const kept: string[] = []
    const copy = { read: async () => kept.at(-1), keep: async (text: string) => void kept.push(text) }
    const policy = edge({ bucket, copy, timeoutMs: 10 * minute })
    await rulesOf(policy)
    clock.advance(minute)
    const slow = rulesOf(policy)
    expect(await rulesOf(policy)).toEqual(open)
    await publish({ rules: closed })
    clock.advance(minute)
    const quick = rulesOf(policy)
    while (answers.length < 2) await Promise.resolve()
    answers[1]?.()
    expect(await quick).toEqual(closed)
    answers[0]?.()
    expect(await slow).toEqual(closed)
    const left: Promise<unknown>[] = []
    expect(await policy({ signal }, (work) => void left.push(work))).toMatchObject({ access: closed })
    await Promise.all(left)
    expect(kept).toEqual([expect.stringContaining('"none"')])
  })

  test('refuses pushes to everyone where it is set to, whatever the rules say', async () => {
    await publish({})
    expect(await rulesOf(edge({ readOnly: true }))).toMatchObject({ anonymous: 'push', readOnly: true })
  })

  test('that others reach does not follow rules that nobody made, and says what to do', async () => {
    await publish({ loopback: true })
    await expect(rulesOf(edge())).rejects.toThrow(/set access\.anonymous and access\.delete at the origin/)
    expect(await rulesOf(edge({ onLoopback: true }))).toMatchObject({ anonymous: 'push' })
  })
})

describe('while there is nothing good in the bucket', () => {
  const faults: readonly (readonly [string, () => void, RegExp])[] = [
    ['an error', () => (broken = fails), /it is down/],
    ['no object', () => objects.delete(accessKey), /not there yet; start the origin once/],
    ['no JSON', () => put('{"version":1'), /not understood/],
    ['the keys alone, as they were', () => put('{"keys":[]}'), /not understood \(.*rules/],
    [
      'another version',
      () => put(JSON.stringify({ version: 2, rules: open, keys: [] })),
      /\(version\).*another version/,
    ],
    [
      'a rule of a newer version',
      () => put(JSON.stringify({ version: 1, rules: { ...open, denied: ['team/**'] }, keys: [] })),
      /not understood \(rules\.denied\)/,
    ],
    ['a field of a newer version', () => put(JSON.stringify({ version: 1, rules: open, keys: [], x: 1 })), /\(x\)/],
    [
      'a key that is none',
      () =>
        put(JSON.stringify({ version: 1, rules: open, keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'k' }] })),
      /has a key that is none/,
    ],
  ]

  test.each(faults)('(%s) the last known rules go on, and are looked for again soon', async (_, damage) => {
    await publish({ rules: closed })
    const policy = edge()
    await rulesOf(policy)
    const good = objects.get(accessKey)
    damage()
    clock.advance(minute)
    expect(await rulesOf(policy)).toEqual(closed)
    expect(warnings()).toEqual(['the access rules could not be read; the last known ones go on'])
    broken = undefined
    if (good !== undefined) objects.set(accessKey, good)
    await publish({ rules: open })
    clock.advance(5 * second - 1)
    expect(await rulesOf(policy)).toEqual(closed)
    clock.advance(1)
    expect(await rulesOf(policy)).toEqual(open)
  })

  test.each(faults)('(%s) an edge that knows none has none, as a failure of the bucket', async (_, damage, message) => {
    damage()
    const policy = edge()
    await expect(rulesOf(policy)).rejects.toThrow(UpstreamError)
    await expect(rulesOf(policy)).rejects.toThrow(message)
    await expect(accessKnown(policy).check({ signal })).rejects.toThrow(message)
    broken = undefined
    objects.clear()
    await publish({ rules: open })
    expect(await rulesOf(policy)).toEqual(open)
    await accessKnown(policy).check({ signal })
  })

  test('waits for a bucket that hangs no longer than it may', async () => {
    const policy = edge({ bucket: { ...createMemoryBucket(), read: () => new Promise(() => {}) } })
    const hanging = expect(rulesOf(policy)).rejects.toThrow(`no answer within ${timeoutMs} ms`)
    clock.advance(timeoutMs)
    await hanging
  })

  test('a client that leaves costs the others nothing: the next one looks', async () => {
    await publish({ rules: open })
    const policy = edge()
    await rulesOf(policy)
    await publish({ rules: closed })
    clock.advance(minute)
    const left = new AbortController()
    left.abort(new Error('left'))
    await expect(policy({ signal: left.signal })).rejects.toThrow('left')
    expect(await rulesOf(policy)).toEqual(closed)
    expect(warnings()).toEqual([])
  })
})

describe('a copy', () => {
  let kept: string | undefined
  let keeps: number
  let copyBroken: boolean
  const copy = {
    async read() {
      if (copyBroken) throw new Error('KV is down')
      return kept
    },
    async keep(text: string) {
      if (copyBroken) throw new Error('KV is down')
      keeps += 1
      kept = text
    },
  }

  beforeEach(() => {
    kept = undefined
    keeps = 0
    copyBroken = false
  })

  /** A request, and what it leaves to be done after it. */
  async function ask(policy: CurrentPolicy) {
    const left: Promise<unknown>[] = []
    const { access } = await policy({ signal }, (work) => void left.push(work))
    return { access, failures: (await Promise.allSettled(left)).filter(({ status }) => status === 'rejected').length }
  }

  test('is kept after the answer, once for a change, by whichever edge sees it first', async () => {
    await publish({ rules: open })
    const [one, other] = [edge({ copy }), edge({ copy })]
    for (const policy of [one, one, other, other]) await ask(policy)
    expect([keeps, kept]).toEqual([1, expect.stringContaining('"pull"')])
    await publish({ rules: closed })
    clock.advance(minute)
    for (const policy of [one, one, other, other]) await ask(policy)
    expect([keeps, kept]).toEqual([2, expect.stringContaining('"none"')])
  })

  test('serves an edge that starts while the bucket is in error, until that is over', async () => {
    await publish({ rules: closed })
    await ask(edge({ copy }))
    broken = fails
    const policy = edge({ copy })
    expect((await ask(policy)).access).toEqual(closed)
    expect(warnings()).toEqual(['the access rules could not be read; the last known ones go on'])
    broken = undefined
    await publish({ rules: open })
    clock.advance(5 * second)
    expect((await ask(policy)).access).toEqual(open)
  })

  test('that is damaged, or is not to be had, is none', async () => {
    broken = fails
    kept = 'not JSON'
    await expect(ask(edge({ copy }))).rejects.toThrow('it is down')
    copyBroken = true
    await expect(ask(edge({ copy }))).rejects.toThrow('it is down')
    expect(warnings()).toEqual(Array(2).fill('the copy of the access rules is of no use'))
  })

  test('that could not be kept is tried again with the next look', async () => {
    await publish({ rules: open })
    const policy = edge({ copy })
    copyBroken = true
    expect((await ask(policy)).failures).toBe(1)
    expect((await ask(policy)).failures).toBe(0)
    copyBroken = false
    clock.advance(minute)
    await ask(policy)
    expect(keeps).toBe(1)
  })

  test('is left for the next request where nobody takes work for later', async () => {
    await publish({ rules: open })
    const policy = edge({ copy })
    await policy({ signal })
    expect(keeps).toBe(0)
    await ask(policy)
    expect(keeps).toBe(1)
  })
})
