// A blob that comes from outside: who reads along never has all of something wrong, and it is published only when right.

import { beforeEach, describe, expect, test } from 'vitest'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { blobKey, leavesKey } from '../../shared/layout/keys.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { heldBytes, type Spool, startSpool, WrongContent } from '../../shared/registry/spool.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'

const wait = { signal: new AbortController().signal }
const content = randomBytes('spooled', 3_000_000)
const digest = sha256(content) as Digest

let objects: Objects
let source: ReadableStreamDefaultController<Uint8Array>
let cancelled: unknown

beforeEach(() => {
  objects = new Map()
  cancelled = undefined
})

function start(
  blob: { digest: Digest; sizeBytes: number } = { digest, sizeBytes: content.byteLength },
  uploads = createMemoryUploads(objects),
): Spool {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    cancel: (reason) => void (cancelled = reason),
  })
  const deps = {
    bucket: createMemoryBucket(objects),
    uploads,
    hasher: nodeHasher,
    random: systemRandom,
    clock: systemClock,
  }
  return startSpool(deps, blob, body, () => {}, wait)
}

const bytesOf = async (stream: ReadableStream<Uint8Array>) => new Uint8Array(await new Response(stream).arrayBuffer())

/** Reads until no more comes for the moment, or it fails. */
async function readSome(reader: ReadableStreamDefaultReader<Uint8Array>, most: number): Promise<number> {
  let count = 0
  while (count < most) {
    const { done, value } = await reader.read()
    if (done) break
    count += value.byteLength
  }
  return count
}

describe('a blob that comes right', () => {
  test('is read along, by each from the beginning, and is in the bucket afterwards with its leaves', async () => {
    const spool = start()
    const early = bytesOf(spool.read())
    source.enqueue(content.subarray(0, 1_000_000))
    const middle = bytesOf(spool.read())
    source.enqueue(content.subarray(1_000_000))
    source.close()
    await spool.done
    const late = bytesOf(spool.read())
    for (const read of [early, middle, late]) expect(sha256(await read)).toBe(digest)
    expect(sha256(objects.get(blobKey(digest)) ?? '')).toBe(digest)
    expect(objects.has(leavesKey(digest))).toBe(true)
  })

  test('goes on when all who read along have left', async () => {
    const spool = start()
    const reader = spool.read().getReader()
    source.enqueue(content.subarray(0, 1_000_000))
    await readSome(reader, 500_000)
    await reader.cancel()
    source.enqueue(content.subarray(1_000_000))
    source.close()
    await spool.done
    expect(objects.has(blobKey(digest))).toBe(true)
  })

  test('is read on while it moves from staging to the bucket', async () => {
    const moved = Promise.withResolvers<void>()
    const settled = Promise.withResolvers<void>()
    const uploads = createMemoryUploads(objects)
    const slow: typeof uploads = {
      ...uploads,
      async publish(...publishing) {
        await uploads.publish(...publishing)
        moved.resolve()
        await settled.promise
      },
    }
    const spool = start(undefined, slow)
    const reader = spool.read().getReader()
    source.enqueue(content)
    source.close()
    await moved.promise
    const first = reader.read()
    settled.resolve()
    expect((await first).value?.byteLength).toBeGreaterThan(0)
    expect(await readSome(reader, content.byteLength)).toBeGreaterThan(0)
    await spool.done
  })

  test('keeps its last bytes back until it was checked', async () => {
    const spool = start()
    const reader = spool.read().getReader()
    source.enqueue(content)
    expect(await readSome(reader, content.byteLength - heldBytes)).toBe(content.byteLength - heldBytes)
    const rest = reader.read()
    const first = await Promise.race([rest.then(() => 'more'), new Promise((done) => setImmediate(() => done('held')))])
    expect(first).toBe('held')
    source.close()
    expect((await rest).value?.byteLength).toBe(heldBytes)
  })
})

describe('a blob that comes wrong', () => {
  const wrong = Uint8Array.from(content)
  wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1

  test.each([
    ['in its last byte', wrong],
    ['with a byte more', content.subarray(0, 200_001)],
    ['with a byte less', content.subarray(0, 199_999)],
  ])('%s ends in an error for all who read along, and is not in the bucket', async (_, came) => {
    const sizeBytes = came === wrong ? content.byteLength : 200_000
    const blob = { digest: came === wrong ? digest : (sha256(content.subarray(0, 200_000)) as Digest), sizeBytes }
    const spool = start(blob)
    const reading = bytesOf(spool.read())
    reading.catch(() => {})
    source.enqueue(came)
    try {
      source.close()
    } catch {
      // It was given up already.
    }
    await expect(spool.done).rejects.toThrow(WrongContent)
    await expect(reading).rejects.toThrow(WrongContent)
    await expect(bytesOf(spool.read())).rejects.toThrow(WrongContent)
    expect([...objects.keys()]).toEqual([])
  })

  test('or breaks off gives the reason, and leaves nothing', async () => {
    const spool = start()
    const reading = bytesOf(spool.read())
    reading.catch(() => {})
    source.enqueue(content.subarray(0, 1_000_000))
    source.error(new Error('the peer left'))
    await expect(spool.done).rejects.toThrow('the peer left')
    await expect(reading).rejects.toThrow('the peer left')
    expect([[...objects.keys()], cancelled]).toEqual([[], undefined])
  })
})
