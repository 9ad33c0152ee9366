// Origins on one bucket know of each other, and one that cannot be beside another does not start.

import { expect, test } from 'vitest'
import { originKey, originsPrefix } from '../../shared/layout/keys.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Repeating } from '../../shared/concurrency/repeat.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { joinOrigins } from '../../shared/registry/join-origins.ts'
import { originMarkBytes, type OriginTraits, parseOriginMark, whyNotBeside } from '../../shared/registry/origin-mark.ts'
import { systemRandom } from '../../origin/compose/system-ports.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'

const secondMs = 1000
const usual: OriginTraits = { host: 'one', conditionalWrites: true, keys: { 'edge.key': ['e'] }, rules: 'r' }
const without: OriginTraits = { ...usual, conditionalWrites: false }
const staleId = '00000000-0000-4000-8000-000000000000'

function world() {
  const clock = createFakeClock()
  const plain = createMemoryBucket()
  const fault = { writes: false }
  const bucket: Bucket = {
    ...plain,
    write: (key, bytes, wait) =>
      fault.writes ? Promise.reject(new Error('the disk is full')) : plain.write(key, bytes, wait),
  }
  const log = createRecordingLog()

  const marks = async () => {
    const found = []
    for await (const { path } of plain.list(originsPrefix, '', unhurried)) {
      const bytes = await plain.read(originKey(path.slice(originsPrefix.length)), 10_000, unhurried)
      found.push(bytes && parseOriginMark(bytes))
    }
    return found
  }

  /** Lets so much time go by, a second at a time. */
  async function pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed++) {
      clock.advance(secondMs)
      await new Promise((done) => setImmediate(done))
    }
  }

  /** Seconds until it is decided, with the outcome. */
  async function decided(joining: Promise<Repeating>) {
    let outcome: { readonly origin?: Repeating; readonly error?: unknown } | undefined
    joining.then(
      (origin) => (outcome = { origin }),
      (error: unknown) => (outcome = { error }),
    )
    await new Promise((done) => setImmediate(done))
    for (let seconds = 0; seconds < 200; seconds++) {
      if (outcome !== undefined) return { seconds, ...outcome }
      await pass(1)
    }
    throw new Error('not decided within 200 s')
  }

  return {
    clock,
    bucket,
    fault,
    log,
    marks,
    pass,
    decided,
    join: (traits: OriginTraits = usual, at: Clock = clock) =>
      joinOrigins({ bucket, clock: at, random: systemRandom, log, traits: async () => traits }, unhurried),
    /** What an origin left that did not end by itself. */
    leaveMark: (traits: OriginTraits, agoMs: number) => {
      const at = new Date(clock.now() - agoMs).toISOString()
      return plain.write(originKey(staleId), originMarkBytes({ id: staleId, at, ready: true, ...traits }), unhurried)
    },
  }
}

const warnings = ({ log }: ReturnType<typeof world>) => log.lines.filter(({ level }) => level === 'warn')

test('an origin has a mark from its start to its end, and starts at once', async () => {
  const { join, decided, marks } = world()
  const { origin, seconds } = await decided(join())
  expect(seconds).toBe(0)
  expect(await marks()).toMatchObject([{ ...usual, ready: true }])
  await origin?.stop()
  expect(await marks()).toEqual([])
})

test('the mark is renewed every 30 seconds, with what is so then', async () => {
  const { bucket, clock, log, marks, pass } = world()
  let rules = 'before'
  const traits = async () => ({ ...usual, rules })
  const origin = await joinOrigins({ bucket, clock, random: systemRandom, log, traits }, unhurried)
  const [first] = await marks()
  rules = 'after'
  await pass(29)
  expect(await marks()).toEqual([first])
  await pass(2)
  expect(await marks()).toMatchObject([{ id: first?.id, rules: 'after' }])
  await origin.stop()
})

test('origins that go together start at once, and say nothing', async () => {
  const at = world()
  const origins = await Promise.all([at.join(), at.join(), at.join()])
  await at.pass(300)
  expect(await at.marks()).toHaveLength(3)
  for (const origin of origins) await origin.stop()
  expect([await at.marks(), at.log.lines]).toEqual([[], []])
})

test.each([
  ['this origin found no conditions', without, usual, /If-None-Match/],
  ['the other one found none', usual, without, /If-None-Match/],
  ['it has another key', { ...usual, keys: { 'edge.key': ['x'] } }, usual, /not the same edge\.key/],
])('an origin does not start beside one that lives, where %s', async (_, own, other, message) => {
  const at = world()
  const running = await at.join(other)
  const { error } = await at.decided(at.join({ ...own, host: 'two' }))
  expect(String(error)).toMatch(/another origin writes to this bucket \(one\), and both cannot be/)
  expect(String(error)).toMatch(message)
  expect(await at.marks()).toMatchObject([{ host: 'one' }])
  // Of one that gives up there is nothing to say at the other.
  expect(warnings(at).map(({ fields }) => fields['host'])).toEqual(['one'])
  await running.stop()
  // The other one is gone: now it starts.
  const again = await at.decided(at.join(own))
  expect(again.seconds).toBe(0)
  await again.origin?.stop()
})

test('it does not start either where the clock of the other one is off', async () => {
  const at = world()
  const early: Clock = { now: () => at.clock.now() - 10 * 60 * secondMs, after: (ms, call) => at.clock.after(ms, call) }
  const running = await at.join(without, early)
  expect(String((await at.decided(at.join(without))).error)).toMatch(/If-None-Match/)
  await running.stop()
})

test.each([2, 5])('of %i that start at once, and cannot be beside each other, one does', async (count) => {
  const at = world()
  const outcomes = await Promise.all(
    Array.from({ length: count }, () => at.join(without))
      .map((joining) => joining.catch(() => undefined))
      .concat(at.pass(200).then(() => undefined)),
  )
  const started = outcomes.filter((outcome) => outcome !== undefined)
  expect(started).toHaveLength(1)
  expect(await at.marks()).toMatchObject([{ ready: true }])
  for (const origin of started) await origin.stop()
})

test('what a crash left keeps an origin waiting until it is not renewed for 90 seconds, and is removed', async () => {
  const at = world()
  await at.leaveMark(without, 5 * secondMs)
  const { origin, seconds } = await at.decided(at.join(without))
  expect(seconds).toBeGreaterThanOrEqual(90)
  expect(seconds).toBeLessThan(100)
  expect(await at.marks()).toMatchObject([{ ready: true }])
  expect(warnings(at).map(({ message }) => message)).toEqual([
    expect.stringMatching(/looks whether another origin lives/),
  ])
  await origin?.stop()
})

test('what a crash left an hour ago, or what goes together with this origin, keeps nobody waiting', async () => {
  const at = world()
  await at.leaveMark(without, 3600 * secondMs)
  const alone = await at.decided(at.join(without))
  expect([alone.seconds, (await at.marks()).length]).toEqual([0, 1])
  await alone.origin?.stop()
  await at.leaveMark(usual, 5 * secondMs)
  const beside = await at.decided(at.join(usual))
  expect([beside.seconds, (await at.marks()).length]).toEqual([0, 2])
  await at.pass(130)
  expect(await at.marks()).toHaveLength(1)
  await beside.origin?.stop()
})

test('other rules are said at the start and as long as they differ, and keep nobody from starting', async () => {
  const at = world()
  const before = await at.join({ ...usual, host: 'before' })
  const { origin, seconds } = await at.decided(at.join({ ...usual, host: 'after', rules: 'changed' }))
  expect(seconds).toBe(0)
  const said = (host: string) => warnings(at).filter(({ fields }) => fields['host'] === host).length
  expect([said('before'), said('after')]).toEqual([1, 0])
  await at.pass(61)
  expect([said('before'), said('after')]).toEqual([3, 2])
  await before.stop()
  await at.pass(61)
  expect(said('before')).toBe(3)
  await origin?.stop()
})

test('a key that changed while both ran is said, and ends nothing', async () => {
  const at = world()
  const keys = { 'edge.key': ['e'] }
  const changing = await joinOrigins(
    { ...at, random: systemRandom, traits: async () => ({ ...usual, keys }) },
    unhurried,
  )
  const other = await at.join({ ...usual, host: 'two' })
  keys['edge.key'] = ['another']
  await at.pass(31)
  expect(warnings(at).map(({ message }) => message)).toContainEqual(expect.stringMatching(/not the same edge\.key/))
  await changing.stop()
  await other.stop()
})

test('a mark that cannot be renewed is a warning, and is renewed when that is possible again', async () => {
  const at = world()
  const origin = await at.join()
  const [first] = await at.marks()
  at.fault.writes = true
  await at.pass(31)
  expect(warnings(at)).toMatchObject([{ message: expect.stringMatching(/could not be renewed/) }])
  at.fault.writes = false
  await at.pass(31)
  expect((await at.marks())[0]?.at).not.toBe(first?.at)
  await origin.stop()
})

test('an origin that cannot write its mark does not start', async () => {
  const at = world()
  at.fault.writes = true
  await expect(at.join()).rejects.toThrow('the disk is full')
})

test('a mark that is damaged, and what is no mark, are no origins', async () => {
  const at = world()
  const text = (words: string) => new TextEncoder().encode(words)
  await at.bucket.write(originKey(staleId), text('{"id":'), unhurried)
  await at.bucket.write(originKey('README'), text('hello'), unhurried)
  const { origin, seconds } = await at.decided(at.join(without))
  expect(seconds).toBe(0)
  await at.pass(130)
  expect(await at.bucket.head(originKey(staleId), unhurried)).toBeUndefined()
  expect(await at.bucket.head(originKey('README'), unhurried)).toBe(5)
  await origin?.stop()
})

test.each<[string, Record<string, string[]>, Record<string, string[]>, string | undefined]>([
  ['the same', { a: ['1'] }, { a: ['1'] }, undefined],
  ['one in common, as while a key is replaced', { a: ['2', '1'] }, { a: ['1'] }, undefined],
  ['one that only one of them has', { a: ['1'], b: ['1'] }, { a: ['1'], c: ['2'] }, undefined],
  ['none in common', { a: ['1'], b: ['2'], c: ['3'] }, { a: ['1'], b: ['x'], c: ['y', 'z'] }, 'b, c'],
])('keys: %s', (_, own, other, differ) => {
  const why = whyNotBeside({ ...usual, keys: own }, { ...usual, keys: other })
  expect(why).toEqual(differ === undefined ? undefined : expect.stringContaining(`not the same ${differ},`))
})
