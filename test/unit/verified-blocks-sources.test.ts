// Reads of IPFS by CID from sources that fail in every way a port can, and reads that end early.

import { describe, expect, test } from 'vitest'
import { NotFoundOnIpfs } from '../../shared/ipfs/content-errors.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addFile, balanced, type Blocks, fixedSize } from '../support/ipfs/dag.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { randomBytes, sha256 as digestOf } from '../support/image.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { silentLog } from '../support/silent-log.ts'
import {
  broken,
  bytesOf,
  empty,
  honest,
  lying,
  readerOf,
  readFile,
  sourceOf,
  wait,
} from '../support/ipfs/memory-sources.ts'

describe('several sources', () => {
  const blocks: Blocks = new Map()
  const content = randomBytes(1, 100_500)
  const added = addFile(blocks, content, { chunker: fixedSize(1000), layout: balanced(10) })

  test.each([
    ['one that has nothing', () => empty()],
    ['one that fails', () => broken()],
    ['one that lies', () => lying(blocks)],
    [
      'one that lies about one block',
      () => sourceOf('liar', async (cid) => ([...blocks.keys()][50] === cid ? randomBytes(1, 1000) : blocks.get(cid))),
    ],
    [
      'one that fails in the middle',
      () => {
        let left = 60
        return sourceOf('tired', async (cid) => {
          left -= 1
          if (left < 0) throw new UpstreamError('ipfs', 'reset')
          return blocks.get(cid)
        })
      },
    ],
    [
      'one that lacks every second block',
      () => {
        const some = new Map([...blocks].filter((_, at) => at % 2 === 0))
        return honest(some, 'half')
      },
    ],
    ['one whose blocks are too large', () => sourceOf('large', async () => new Uint8Array(3 * 1024 * 1024))],
  ] as const)('%s and then an honest one: the file comes out right, and both are closed', async (_, first) => {
    const cid = await added
    const sources = [first(), honest(blocks)]
    expect(digestOf(await readFile(cid, ...sources))).toBe(digestOf(content))
    for (const { opened, closed } of sources) expect([opened, closed]).toEqual([1, 1])
  })

  test('a source that is never needed is never opened', async () => {
    const second = honest(blocks)
    await readFile(await added, honest(blocks), second)
    expect(second.opened).toBe(0)
  })

  test('a source that said no is asked last from then on, since its next no may take as long', async () => {
    const first = empty()
    await readFile(await added, first, honest(blocks))
    expect(first.asked).toHaveLength(1)
  })

  test('a liar is named once, with the block, and is not asked again', async () => {
    const cid = await added
    const log = createRecordingLog()
    const liar = lying(blocks)
    const reader = createVerifiedReader({ sources: [liar, honest(blocks)], clock: createFakeClock(), log })
    await bytesOf((await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)).body)
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'a source of IPFS sent wrong bytes',
        fields: { source: 'liar', cid },
        error: undefined,
      },
    ])
    expect(liar.asked).toEqual([cid])
  })

  test.each([
    ['no source at all', [], NotFoundOnIpfs],
    ['two that have nothing', [empty('one'), empty('two')], NotFoundOnIpfs],
    ['one that fails', [broken()], UpstreamError],
    ['one that has nothing and one that fails', [empty(), broken()], UpstreamError],
    ['one that fails and one that has nothing', [broken(), empty()], UpstreamError],
    ['one that lies', [lying(blocks)], UpstreamError],
  ] as const)('%s: the error says whether all of them answered', async (_, sources, kind) => {
    await expect(readFile(await added, ...sources)).rejects.toBeInstanceOf(kind)
  })

  test('what nobody has says how long it was looked for', async () => {
    const clock = createFakeClock()
    const slow = sourceOf('slow', async () => {
      clock.advance(1234)
      return undefined
    })
    const cid = await added
    const dag = createVerifiedReader({ sources: [slow, slow], clock, log: silentLog }).open(cid, wait)
    await expect(dag.block(cid, wait)).rejects.toMatchObject({ name: 'NotFoundOnIpfs', cid, waitedMs: 2468 })
  })
})

describe('a read that ends early', () => {
  const blocks: Blocks = new Map()
  const added = addFile(blocks, randomBytes(1, 100_500), { chunker: fixedSize(1000) })
  /** Gives the file's root, and is then silent until the signal. */
  const silentBelow = (root: Cid, signals: AbortSignal[]) =>
    sourceOf('silent', async (cid, signal) => {
      if (cid === root) return blocks.get(cid)
      signals.push(signal)
      return new Promise(() => {}) // Does not heed the signal either.
    })

  test('an aborted signal is what the body ends with, and what the source hears', async () => {
    const [cid, signals, controller, reason] = [
      await added,
      [] as AbortSignal[],
      new AbortController(),
      new Error('left'),
    ]
    const source = silentBelow(cid, signals)
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, controller)
    const ended = bytesOf(body)
    await expect.poll(() => signals.length).toBeGreaterThan(0)
    controller.abort(reason)
    await expect(ended).rejects.toBe(reason)
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
    expect(source.closed).toBe(1)
  })

  test('a cancelled body aborts what was asked for and closes the source', async () => {
    const [cid, signals] = [await added, [] as AbortSignal[]]
    const source = silentBelow(cid, signals)
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, wait)
    const reader = body.getReader()
    const first = reader.read()
    await expect.poll(() => signals.length).toBeGreaterThan(0)
    await reader.cancel()
    expect(await first).toEqual({ value: undefined, done: true })
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
    expect(source.closed).toBe(1)
  })

  test('a signal that is already aborted asks nobody', async () => {
    const source = honest(blocks)
    const cid = await added
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, { signal })).rejects.toThrow('too late')
    expect(source.opened).toBe(0)
  })

  test('nothing is asked for before the body is read, and then a few blocks ahead', async () => {
    const source = honest(blocks)
    const cid = await added
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, wait)
    expect(source.asked).toHaveLength(1)
    const reader = body.getReader()
    await reader.read()
    await reader.read()
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.asked.length).toBeGreaterThan(4)
    expect(source.asked.length).toBeLessThanOrEqual(1 + 2 + 8)
    await reader.cancel()
  })
})
