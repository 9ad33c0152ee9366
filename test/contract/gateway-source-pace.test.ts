// Readers of a gateway that go slowly or go away: how far ahead of them it is let go, and what runs meanwhile.

import { describe, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { Block } from '../../shared/ports/content-store.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addFile, type Blocks } from '../support/ipfs/dag.ts'
import { type Gateway } from '../support/ipfs/gateway.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { randomBytes } from '../support/image.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { gatewayOf, leafOf, patient, sourceOf, wait } from '../support/ipfs/gateway-reading.ts'

describe('a reader that goes slowly or goes away', () => {
  const large: Blocks = new Map()
  const added = addFile(large, randomBytes(1, 64 * 1024 * 1024))

  /** How far the gateway is ahead once nothing moves any more. */
  async function settled(gateway: Gateway): Promise<number> {
    let before = -1
    await expect
      .poll(
        () => {
          const still = before === gateway.sentBytes()
          before = gateway.sentBytes()
          return still
        },
        { interval: 200, timeout: 10_000 },
      )
      .toBe(true)
    return before
  }

  test.each([
    ['CARs', {}],
    ['CARs that lack a block', { arrange: (entries: readonly Block[]) => entries.toSpliced(2, 1) }],
    ['single blocks', { cars: 'refused' }],
  ] as const)(
    'by %s: one that reads a little and stops lets the gateway go little ahead, and one that leaves ends every request',
    async (_, manners) => {
      const cid = await added
      const gateway = await gatewayOf(manners, large)
      const sources = [sourceOf(gateway.url, patient)]
      const reader = createVerifiedReader({ sources, clock: systemClock, log: createRecordingLog() })
      const { body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
      const stream = body.getReader()
      await stream.read()
      // Eight blocks of 1 MiB, the window of 4 MiB, and what sockets hold on both sides.
      expect(await settled(gateway)).toBeLessThan(24 * 1024 * 1024)
      await stream.cancel()
      await expect.poll(() => gateway.open()).toBe(0)
    },
  )

  test('what comes long before its turn is not kept, but asked for again', async () => {
    const cid = await added
    const gateway = await gatewayOf({ arrange: (entries) => entries.toReversed() }, large)
    const sources = [sourceOf(gateway.url, patient)]
    const reader = createVerifiedReader({ sources, clock: systemClock, log: createRecordingLog() })
    const { body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
    await body.pipeTo(new WritableStream())
    // Of 64 leaves, four and a few in the order of the CAR may have been kept.
    expect(gateway.requests.length).toBeGreaterThan(50)
  })

  test.each([
    ['CARs', {}],
    ['single blocks', { cars: 'refused' }],
  ] as const)(
    'by %s: no time limit runs while nobody reads, and one that has passed ends the read',
    async (_, manners) => {
      const cid = await added
      const gateway = await gatewayOf(manners, large)
      const [clock, log] = [createFakeClock(), createRecordingLog()]
      const source = createGatewaySource({ url: gateway.url, fetch, clock, firstByteMs: 1000, idleMs: 1000 })
      const { body } = await createVerifiedReader({ sources: [source], clock, log }).file(
        { top: cid, cid, maxBytes: 1e9 },
        wait,
      )
      const stream = body.getReader()
      for (let chunk = 0; chunk < 40; chunk += 1) {
        await stream.read()
        if (chunk % 10 !== 0) continue
        await expect.poll(() => clock.pending).toBe(0)
        clock.advance(60_000)
      }
      expect(log.lines).toEqual([])
      gateway.hang()
      const rest = (async () => {
        while (!(await stream.read()).done);
      })()
      rest.catch(() => {}) // It is awaited below.
      await expect.poll(() => clock.pending).toBeGreaterThan(0)
      await settled(gateway)
      clock.advance(1000)
      await expect(rest).rejects.toBeInstanceOf(UpstreamError)
      expect(log.lines).toHaveLength(1)
    },
  )

  test('connections are used again, also after a no', async () => {
    const gateway = await gatewayOf({ cars: 'refused' })
    const source = sourceOf(gateway.url, patient)
    const absent = leafOf(0).replace(/.{4}$/, 'aaaa') as Cid
    for (let round = 0; round < 10; round += 1) {
      const reader = source.open(absent)
      expect(await reader.block(absent, wait)).toBeUndefined()
      expect(await reader.block(leafOf(round), wait)).toHaveLength(50_000)
      reader.close()
    }
    expect(gateway.requests).toHaveLength(20)
    expect(gateway.connections()).toBeLessThan(5)
  })
})
