// A Kubo that is away, hangs, breaks off, answers nonsense, or loses blocks.

import { CID } from 'multiformats/cid'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKuboClient } from '../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboSource } from '../../origin/ipfs/kubo/kubo-source.ts'
import { createKuboStore } from '../../origin/ipfs/kubo/kubo-store.ts'
import { systemClock } from '../../origin/process/system-ports.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { ContentFile, ContentImage, ContentStore } from '../../shared/ports/content-store.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { describeWith } from '../support/clients/programs.ts'
import { testFile, testImage } from '../support/content.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { randomBytes } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/kubo.ts'
import { eventually } from '../support/stack.ts'

const wait: Wait = { signal: new AbortController().signal }
const mebibyte = 1024 * 1024
const timeoutMs = 5000
const searchMs = 1000

const small = await testFile(randomBytes(1, 1000))
const large = await testFile(randomBytes(2, 3 * mebibyte))
const image = await testImage([small, large], ['beside them'])

const storeAt = (url: string, clock: Clock = systemClock) =>
  createKuboStore({ kubo: createKuboClient({ url, timeoutMs, clock }), clock })

const sourceAt = (url: string, clock: Clock = systemClock) =>
  createKuboSource({ kubo: createKuboClient({ url, timeoutMs, clock }), searchMs })

async function rootsIn(store: ContentStore, until: Wait = wait): Promise<Cid[]> {
  const roots: Cid[] = []
  for await (const root of store.published(until)) roots.push(root)
  return roots
}

/** Everything one can ask of Kubo. */
const operations: Readonly<Record<string, (url: string, clock: Clock, until: Wait) => Promise<unknown>>> = {
  'add of a small file': (url, clock, until) => storeAt(url, clock).add(small, until),
  'add of a large file': (url, clock, until) => storeAt(url, clock).add(large, until),
  publish: (url, clock, until) => storeAt(url, clock).publish(image, until),
  unpublish: (url, clock, until) => storeAt(url, clock).unpublish(image.root, until),
  published: (url, clock, until) => rootsIn(storeAt(url, clock), until),
  block: (url, clock, until) => sourceAt(url, clock).open(image.root).block(image.root, until),
}

function operation(name: string) {
  const found = operations[name]
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

async function failureOf(work: Promise<unknown>): Promise<UpstreamError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof UpstreamError)) throw new Error(`no UpstreamError but ${String(error)}`, { cause: error })
  expect(error.source).toBe('ipfs')
  return error
}

describe('nobody is there', () => {
  test.each(Object.keys(operations))('%s', async (name) => {
    const proxy = await startFaultyProxy()
    await proxy.stop()
    const { message } = await failureOf(operation(name)(proxy.url, systemClock, wait))
    expect(message).toContain('ECONNREFUSED')
  })
})

describe('credentials in the URL', () => {
  test('are sent, and are in no message', async () => {
    const proxy = await startFaultyProxy()
    const url = proxy.url.replace('//', '//someone:p%40ss-word@')
    for (const fault of ['refuses', 'answers for a proxy', 'reset at once'] as const) {
      void proxy.failAt('pin/ls', fault)
      const error = await failureOf(rootsIn(storeAt(url)))
      expect(proxy.authorization).toBe(`Basic ${Buffer.from('someone:p@ss-word').toString('base64')}`)
      const all = `${error.stack}${String(error.cause)}${JSON.stringify(error)}`
      for (const secret of ['p%40ss', 'p@ss', proxy.authorization ?? '']) expect(all).not.toContain(secret)
    }
    await proxy.stop()
    expect((await failureOf(rootsIn(storeAt(url)))).stack).not.toContain('p%40ss')
    expect(() => storeAt('http//someone:p%40ss-word@nowhere')).toThrow(/^(?!.*p%40ss).*no HTTP URL/)
  })
})

describeWith(['ipfs'], 'with a real node behind a proxy', () => {
  let node: Kubo
  let proxy: FaultyProxy

  beforeAll(async () => {
    node = await startKubo()
  })

  afterAll(() => node.stop())

  beforeEach(async () => {
    proxy = await startFaultyProxy(node.url)
  })

  afterEach(async () => {
    await proxy.stop()
    await storeAt(node.url).unpublish(image.root, wait)
    await node.collectGarbage()
  })

  async function expectWhole({ blocks, files }: ContentImage): Promise<void> {
    for (const { cid } of [...blocks, ...files]) expect(await node.localBlock(cid), cid).toBeDefined()
  }

  /** Which calls of the RPC each operation makes. */
  const callsOf: readonly (readonly [string, string])[] = [
    ['add of a small file', 'dag/import'],
    ['add of a large file', 'add'],
    ['publish', 'pin/ls'],
    ['publish', 'dag/import'],
    ['publish', 'refs'],
    ['publish', 'add'],
    ['publish', 'pin/add'],
    ['unpublish', 'pin/ls'],
    ['unpublish', 'pin/rm'],
    ['published', 'pin/ls'],
    ['block', 'block/get'],
  ]

  const hanging: readonly Fault[] = ['silent', 'half an answer']
  const breaking: readonly Fault[] = ['reset at once', 'reset in the answer', 'refuses', 'answers for a proxy']
  const withEach = (faults: readonly Fault[]) =>
    callsOf.flatMap(([name, path]) => faults.map((fault) => ({ name, path, fault })))

  test.each(withEach(hanging))('$name: $fault to $path ends in time', async ({ name, path, fault }) => {
    if (name === 'unpublish') await storeAt(node.url).publish(image, wait)
    const clock = createFakeClock()
    const reached = proxy.failAt(path, fault)
    const failure = failureOf(operation(name)(proxy.url, clock, wait))
    const { closed } = await reached
    clock.advance(2 * timeoutMs)
    const { message } = await failure
    expect(message).toContain('nothing came from Kubo')
    await closed
    await eventually('no timer is left', () => clock.pending === 0)
  })

  test.each(withEach(breaking))('$name: $fault at $path is an error', async ({ name, path, fault }) => {
    if (name === 'unpublish') await storeAt(node.url).publish(image, wait)
    void proxy.failAt(path, fault)
    const clock = createFakeClock()
    const { message } = await failureOf(operation(name)(proxy.url, clock, wait))
    expect(message).toMatch(new RegExp(`^ipfs: ${path}\\b`))
    if (fault === 'refuses') expect(message).toContain('the disk is full')
    if (fault === 'answers for a proxy') expect(message).toContain('502')
    await eventually('no timer is left', () => clock.pending === 0)
    // What failed is not believed to be there.
    if (name !== 'unpublish') expect(await rootsIn(storeAt(node.url))).toEqual([])
  })

  test.each(callsOf)('%s: one who leaves during %s is heard, there too', async (name, path) => {
    if (name === 'unpublish') await storeAt(node.url).publish(image, wait)
    const reached = proxy.failAt(path, 'silent')
    const leaving = new AbortController()
    const left = expect(operation(name)(proxy.url, systemClock, { signal: leaving.signal })).rejects.toThrow('left')
    const { closed } = await reached
    leaving.abort(new Error('left'))
    await left
    // An import is for several callers, and ends by itself.
    if (path !== 'dag/import') await closed
  })

  /** A large file that notes how much of it was read, and whether it was let go. */
  function watched(chunks: () => AsyncIterable<Uint8Array>) {
    const seen = { readBytes: 0, cancelled: false }
    async function* counted() {
      try {
        for await (const chunk of chunks()) {
          seen.readBytes += chunk.byteLength
          yield chunk
        }
      } finally {
        seen.cancelled = true
      }
    }
    const file: ContentFile = { ...large, open: async () => ReadableStream.from(counted()) }
    return { file, seen }
  }

  async function* endless() {
    for (;;) yield randomBytes(3, mebibyte)
  }

  test('a node that stops in the middle of a file stops its reading, and the add ends in time', async () => {
    const clock = createFakeClock()
    const reached = proxy.failAt('add', 'stops reading')
    const { file, seen } = watched(endless)
    const failure = failureOf(storeAt(proxy.url, clock).add(file, wait))
    await reached
    let before = -1
    await eventually('nothing moves', async () => {
      const still = before === seen.readBytes && before > 0
      before = seen.readBytes
      return still
    })
    expect(seen.readBytes).toBeLessThan(64 * mebibyte)
    clock.advance(timeoutMs - 1)
    expect(seen.cancelled).toBe(false)
    clock.advance(1)
    await failure
    await eventually('the file is let go', () => seen.cancelled)
  })

  test.each(['refuses', 'reset at once'] as const)(
    'a node that %s in the middle of a file lets it go',
    async (fault) => {
      void proxy.failAt('add', fault)
      const { file, seen } = watched(endless)
      await failureOf(storeAt(proxy.url).add(file, wait))
      await eventually('the file is let go', () => seen.cancelled)
    },
  )

  test('a file may take longer than the limit while its bytes keep coming', async () => {
    const clock = createFakeClock()
    async function* slow() {
      for (let at = 0; at < 3; at += 1) {
        clock.advance(timeoutMs - 1)
        yield randomBytes(2, 3 * mebibyte).subarray(at * mebibyte, (at + 1) * mebibyte)
      }
    }
    await storeAt(proxy.url, clock).add(watched(slow).file, wait)
    expect(await node.localBlock(large.cid)).toBeDefined()
  })

  test('a file that breaks while it is read is no fault of Kubo', async () => {
    async function* broken() {
      yield randomBytes(2, 10)
      throw new UpstreamError('bucket', 'the disk broke')
    }
    const store = storeAt(proxy.url)
    for (const of of [small, large]) {
      await expect(store.add({ ...of, open: async () => ReadableStream.from(broken()) }, wait)).rejects.toThrow(
        'bucket: the disk broke',
      )
      await store.add(of, wait)
    }
  })

  test('a bucket that hangs, and hears no signal, hangs nobody', async () => {
    const clock = createFakeClock()
    const file: ContentFile = { ...large, open: () => new Promise(() => {}) }
    const failure = failureOf(storeAt(proxy.url, clock).add(file, wait))
    await clock.untilArmed()
    clock.advance(timeoutMs)
    await failure
  })

  test('where one file of an image breaks, the others are not sent to their end', async () => {
    const reached = proxy.failAt('add', 'silent')
    const broken = await testFile(randomBytes(7, 500))
    const open = async () => {
      await reached
      throw new UpstreamError('bucket', 'the disk broke')
    }
    const withBroken = await testImage([large, { ...broken, open }])
    await expect(storeAt(proxy.url).publish(withBroken, wait)).rejects.toThrow('bucket: the disk broke')
    await (
      await reached
    ).closed
  })

  test('an image whose files were added before costs three calls', async () => {
    const store = storeAt(proxy.url)
    for (const file of image.files) await store.add(file, wait)
    const before = proxy.calls.length
    await store.publish(image, wait)
    expect(proxy.calls.slice(before)).toEqual(['pin/ls', 'dag/import', 'pin/add'])
  })

  test.each([0, 1])('a small file with bytes too few or too many (%i) is the fault of the bucket', async (at) => {
    const bytes = randomBytes(1, at === 0 ? 999 : 1001)
    const file = { ...small, open: async () => ReadableStream.from([bytes]) }
    await expect(storeAt(proxy.url).add(file, wait)).rejects.toThrow('instead of 1000')
  })

  test('a node that answers another CID is told apart, by both names', async () => {
    proxy.answer('add', JSON.stringify({ Name: '', Hash: small.cid, Size: '1' }))
    const { message } = await failureOf(storeAt(proxy.url).add(large, wait))
    expect(message).toContain(small.cid)
    expect(message).toContain(large.cid)
  })

  test('what the garbage collector took between add and publish is added again', async () => {
    const store = storeAt(proxy.url)
    for (const file of image.files) await store.add(file, wait)
    await node.collectGarbage()
    for (const file of image.files) expect(await node.localBlock(file.cid)).toBeUndefined()
    await store.publish(image, wait)
    await node.collectGarbage()
    await expectWhole(image)
    expect(await rootsIn(store)).toEqual([image.root])
  })

  test.each(['published anew', 'published by another origin'])(
    'one leaf that was lost before an image is %s',
    async (how) => {
      const store = storeAt(proxy.url)
      for (const file of image.files) await store.add(file, wait)
      const leaves: string[] = []
      for await (const { ref } of node.rpc.refs(large.cid, { recursive: true })) leaves.push(ref)
      expect(leaves).toHaveLength(3)
      for await (const { error } of node.rpc.block.rm(CID.parse(leaves[1] ?? ''))) if (error) throw error
      await (how === 'published anew' ? store : storeAt(proxy.url)).publish(image, wait)
      await expectWhole(image)
      for (const leaf of leaves) expect(await node.localBlock(leaf)).toBeDefined()
    },
  )

  test('what the garbage collector took just before the pin is added again, directories too', async () => {
    const store = storeAt(proxy.url)
    let runs = 0
    proxy.before('pin/add', async () => {
      runs += 1
      if (runs === 1) await node.collectGarbage()
    })
    await store.publish(image, wait)
    expect(runs).toBe(2)
    await node.collectGarbage()
    await expectWhole(image)
  })

  test('where it is taken again and again, the image is not published', async () => {
    proxy.before('pin/add', () => node.collectGarbage())
    const { message } = await failureOf(storeAt(proxy.url).publish(image, wait))
    expect(message).toContain(image.root)
    expect(message).toContain('not whole')
    expect(await rootsIn(storeAt(node.url))).toEqual([])
  })

  test('an image that is pinned is not pinned again, which would take its pin away meanwhile', async () => {
    await storeAt(proxy.url).publish(image, wait)
    void proxy.failAt('pin/add', 'refuses')
    await storeAt(proxy.url).publish(image, wait)
    expect(proxy.calls.filter((path) => path === 'pin/add')).toHaveLength(1)
  })

  test('an import that fails is tried block by block only where Kubo refused it', async () => {
    void proxy.failAt('dag/import', 'reset at once')
    const files = await Promise.all([4, 5, 6].map((seed) => testFile(randomBytes(seed, 100))))
    const store = storeAt(proxy.url)
    await Promise.all(files.map((file) => failureOf(store.add(file, wait))))
    expect(proxy.calls).toEqual(['dag/import'])
  })
})
