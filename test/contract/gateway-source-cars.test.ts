// CARs that are wrong in every way, from a gateway whose blocks are right: what it does in its CARs only is made up for by
// asking it for single blocks.

import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { cidText, rawCid } from '../../shared/ipfs/cid.ts'
import type { Block } from '../../shared/ports/content-store.ts'
import { carHeader, type GatewayManners, lengthOf } from '../support/ipfs/gateway.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import {
  content,
  endless,
  file,
  firstBytes,
  gatewayOf,
  leafOf,
  patient,
  read,
  sourceOf,
} from '../support/ipfs/gateway-reading.ts'

describe('a CAR that is not as it should be, from a gateway whose blocks are right', () => {
  const manners: readonly (readonly [string, GatewayManners])[] = [
    ['is cut in the middle', { car: (bytes) => firstBytes(bytes, 3_000_000) }],
    ['is cut in its header', { car: (bytes) => firstBytes(bytes, 10) }],
    ['is empty', { car: (bytes) => firstBytes(bytes, 0) }],
    [
      'has other blocks between',
      { arrange: (entries) => entries.flatMap((entry, at) => (at % 3 === 0 ? [entry, stray(at)] : [entry])) },
    ],
    [
      'has endless other blocks first',
      { arrange: (entries) => [...Array.from({ length: 600 }, (_, at) => stray(at, 100_000)), ...entries] },
    ],
    ['has its blocks backwards', { arrange: (entries) => entries.toReversed() }],
    [
      'has its leaves first',
      { arrange: (entries) => entries.toSorted((a, b) => b.bytes.byteLength - a.bytes.byteLength) },
    ],
    ['has each block twice', { arrange: (entries) => entries.flatMap((entry) => [entry, entry]) }],
    ['lacks blocks', { arrange: (entries) => entries.filter((_, at) => at % 4 !== 3) }],
    ['has only the root', { arrange: (entries) => entries.slice(0, 1) }],
    ['has an endless header', { car: () => endless(lengthOf(2 ** 40)) }],
    ['has a header of zeros', { car: () => endless(new Uint8Array(10)) }],
    ['announces a block of 4 GiB', { car: () => announcing() }],
    [
      'has a block of 3 MiB',
      { arrange: (entries) => [...entries.slice(0, 5), stray(1, 3 * 1024 * 1024), ...entries.slice(5)] },
    ],
  ]

  function stray(seed: number, sizeBytes = 1000): Block {
    const bytes = randomBytes(seed + 1, sizeBytes)
    const digest = createHash('sha256').update(bytes).digest()
    return { cid: cidText(rawCid(digest)), bytes }
  }

  async function* announcing(): AsyncGenerator<Uint8Array> {
    yield carHeader(file)
    yield lengthOf(4 * 1024 ** 3)
    yield* endless(CID.parse(leafOf(0)).bytes)
  }

  test.each(manners)('%s: the file comes out right, and no more is taken than a little', async (_, manner) => {
    const gateway = await gatewayOf(manner)
    const { bytes, error, named } = await read([sourceOf(gateway.url, patient)])
    expect([error, named, sha256(bytes)]).toEqual([undefined, [], sha256(content)])
    // The file, the CAR beside it, the limits on what is taken in vain, and what the network holds.
    expect(gateway.sentBytes()).toBeLessThan(2 * content.byteLength + 24 * 1024 * 1024)
  })
})
