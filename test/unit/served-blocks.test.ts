// What Bitswap may read to hand out, and how much of it at once.

import { randomBytes } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import { describe, expect, test } from 'vitest'
import { createServedBlocks } from '../../origin/ipfs/swarm/served-blocks.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { rawBlock } from '../support/ipfs/dag.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { silentLog } from '../support/silent-log.ts'
import { publishing } from '../support/ipfs/swarm-nodes.ts'

type Served = ReturnType<typeof createServedBlocks>

async function read(served: Served, cid: CID, signal = new AbortController().signal): Promise<Uint8Array> {
  const parts = []
  for await (const part of served.get(cid, { signal })) parts.push(part)
  return Buffer.concat(parts)
}

const lacking = { name: 'NotFoundError' }

test('a block is asked for by its canonical CID, however the peer writes it', async () => {
  const digest = await sha256.digest(randomBytes(10))
  const asked: string[] = []
  const served = createServedBlocks(
    {
      get: (cid) => {
        asked.push(cid)
        return Promise.resolve(Uint8Array.of(1))
      },
    },
    silentLog,
  )
  await read(served, CID.createV0(digest))
  expect(asked).toEqual([CID.createV1(0x70, digest).toString()])
})

test('a block that is not published is not found', async () => {
  const { cid } = await rawBlock(randomBytes(10))
  await expect(read(createServedBlocks(publishing([]), silentLog), CID.parse(cid))).rejects.toMatchObject(lacking)
})

test('a block that cannot be read now is not found, and a line in the log', async () => {
  const log = createRecordingLog()
  const failure = new UpstreamError('bucket', 'down')
  const served = createServedBlocks({ get: () => Promise.reject(failure) }, log)
  const { cid } = await rawBlock(randomBytes(10))
  await expect(read(served, CID.parse(cid))).rejects.toMatchObject(lacking)
  expect(log.lines).toMatchObject([{ level: 'warn', fields: { cid }, error: failure }])
})

test('a CID that holds its block in itself is not looked up', async () => {
  const served = createServedBlocks({ get: () => Promise.resolve(Uint8Array.of(1)) }, silentLog)
  const own = CID.createV1(0x55, createDigest(0, randomBytes(65)))
  await expect(read(served, own)).rejects.toMatchObject(lacking)
})

describe('a batch', () => {
  test('ends where it holds as many bytes as it may; another has its own count', async () => {
    const blocks = await Promise.all([1, 2, 3].map(() => rawBlock(randomBytes(100))))
    const [first, second, third] = blocks.map(({ cid }) => CID.parse(cid)) as [CID, CID, CID]
    const served = createServedBlocks(publishing(blocks), silentLog, 150)
    const { signal } = new AbortController()
    expect((await read(served, first, signal)).byteLength).toBe(100)
    expect((await read(served, second, signal)).byteLength).toBe(100)
    await expect(read(served, third, signal)).rejects.toMatchObject(lacking)
    expect((await read(served, third)).byteLength).toBe(100)
  })
})

test('nothing is written into it', async () => {
  const served = createServedBlocks(publishing([]), silentLog)
  const { cid, bytes } = await rawBlock(randomBytes(10))
  expect(() => served.put(CID.parse(cid), bytes)).toThrow('never written')
})
