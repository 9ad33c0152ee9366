// What only a real Kubo can tell: that it names files as the vectors say, and how it looks for blocks.

import { createCipheriv, createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKuboClient } from '../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboSource } from '../../origin/ipfs/kubo/kubo-source.ts'
import { createKuboStore } from '../../origin/ipfs/kubo/kubo-store.ts'
import { systemClock } from '../../origin/process/system-ports.ts'
import { blockLimitBytes } from '../../shared/ports/block-source.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { describeWith } from '../support/clients/programs.ts'
import { seededBytes, testFile, testImage } from '../support/content.ts'
import { type Kubo, startKubo } from '../support/kubo.ts'

interface FileVector {
  readonly cid: Cid
  readonly size?: number
  /** One of these says what is in it. */
  readonly content?: string
  readonly repeat?: string
  readonly chacha20?: string
}

const vectorsFile = join(import.meta.dirname, '../support/ipfs-vectors.json')
const vectors = JSON.parse(await readFile(vectorsFile, 'utf8')) as { readonly files: readonly FileVector[] }

const wait: Wait = { signal: new AbortController().signal }
const mebibyte = 1024 * 1024

const clientOf = (node: Kubo) => createKuboClient({ url: node.url, timeoutMs: 10_000, clock: systemClock })

describeWith(['ipfs'], 'Kubo as a store', () => {
  let node: Kubo

  beforeAll(async () => {
    node = await startKubo()
  })

  afterAll(() => node.stop())

  const makeStore = () => createKuboStore({ kubo: clientOf(node), clock: systemClock })

  describe('names files as the vectors do', () => {
    const large = process.env['MIRRORBALL_TEST_LARGE_GIB'] !== undefined
    const sizeOf = (file: FileVector) => file.size ?? file.content?.length ?? 0

    test.each(vectors.files.filter((file) => large || sizeOf(file) <= 4 * mebibyte))('$cid', async (vector) => {
      const sizeBytes = sizeOf(vector)
      const open = async () => ReadableStream.from(contentOf(vector, sizeBytes))
      await makeStore().add({ cid: vector.cid, sizeBytes, open }, wait)
      expect(await node.localBlock(vector.cid)).toBeDefined()
    })
  })

  test('adds of one file at once are one', async () => {
    const store = makeStore()
    for (const sizeBytes of [1000, 3 * mebibyte]) {
      const file = await testFile(seededBytes(1, sizeBytes))
      await Promise.all([store.add(file, wait), store.add(file, wait), store.add(file, wait)])
      expect(file.opened).toBe(1)
      await store.add(file, wait)
      expect(file.opened).toBe(2)
    }
  })

  test('a file that was added, or that another image has, is not sent again with its image', async () => {
    const [added, shared] = [await testFile(seededBytes(2, 3 * mebibyte)), await testFile(seededBytes(3, 3 * mebibyte))]
    const store = makeStore()
    await store.add(added, wait)
    await store.publish(await testImage([added]), wait)
    expect(added.opened).toBe(1)
    await makeStore().publish(await testImage([shared], ['one']), wait)
    await makeStore().publish(await testImage([shared], ['other']), wait)
    expect(shared.opened).toBe(1)
  })

  test('after the garbage collector there is what is published, and nothing else', async () => {
    const store = makeStore()
    const file = await testFile(seededBytes(4, 3 * mebibyte + 1))
    const [kept, gone] = [await testImage([file], ['kept']), await testImage([file], ['gone'])]
    const unpublished = await testFile(seededBytes(5, 1000))
    for (const image of [kept, gone]) await store.publish(image, wait)
    await store.add(unpublished, wait)
    await store.unpublish(gone.root, wait)
    await node.collectGarbage()
    for (const { cid } of [...kept.blocks, file]) expect(await node.localBlock(cid)).toBeDefined()
    for (const cid of [gone.root, unpublished.cid]) expect(await node.localBlock(cid)).toBeUndefined()
  })

  test('pins of others are neither listed nor removed, whatever part of our name is in theirs', async () => {
    const store = makeStore()
    const names = [undefined, 'mirror', 'mirrorball-2', 'not mirrorball']
    const roots: Cid[] = []
    for (const [at, name] of names.entries()) {
      const image = await testImage([], [`pinned by others ${at}`])
      await store.publish(image, wait)
      await store.unpublish(image.root, wait)
      await node.rpc.pin.add(image.root, name === undefined ? {} : { name })
      roots.push(image.root)
    }
    for await (const root of store.published(wait)) expect(roots).not.toContain(root)
    for (const root of roots) await store.unpublish(root, wait)
    const pinned: string[] = []
    for await (const { cid } of node.rpc.pin.ls({ type: 'recursive' })) pinned.push(String(cid))
    expect(pinned).toEqual(expect.arrayContaining(roots))
  })
})

describeWith(['ipfs'], 'Kubo as a source of blocks', () => {
  let near: Kubo
  let far: Kubo

  beforeAll(async () => {
    near = await startKubo({ swarm: true })
    far = await startKubo({ swarm: true })
    await near.connect(far)
  })

  afterAll(async () => {
    await near.stop()
    await far.stop()
  })

  async function ask(cid: Cid): Promise<Uint8Array | undefined> {
    const reader = createKuboSource({ kubo: clientOf(near), searchMs: 1000 }).open(cid)
    try {
      return await reader.block(cid, wait)
    } finally {
      reader.close()
    }
  }

  test.each(['near', 'far'])('a block of the %s node', async (where) => {
    const bytes = seededBytes(where.length, mebibyte)
    const file = await testFile(bytes)
    const store = createKuboStore({ kubo: clientOf(where === 'near' ? near : far), clock: systemClock })
    await store.add(file, wait)
    expect(sha256Of((await ask(file.cid)) ?? new Uint8Array())).toBe(sha256Of(bytes))
  })

  test('a block that nobody has is undefined', async () => {
    expect(await ask((await testFile(seededBytes(7, 100))).cid)).toBeUndefined()
  })

  test('a block over the limit is refused, one at the limit is not', async () => {
    for (const sizeBytes of [blockLimitBytes, blockLimitBytes + 1]) {
      const options = { format: 'raw', mhtype: 'sha2-256', allowBigBlock: true }
      const cid = String(await near.rpc.block.put(seededBytes(8, sizeBytes), options)) as Cid
      if (sizeBytes === blockLimitBytes) expect((await ask(cid))?.byteLength).toBe(sizeBytes)
      else await expect(ask(cid)).rejects.toThrow(UpstreamError)
    }
  })

  test('one who leaves, or closes, is let go', async () => {
    const { cid } = await testFile(seededBytes(9, 100))
    const source = createKuboSource({ kubo: clientOf(near), searchMs: 60_000 })
    const leaving = new AbortController()
    const first = source.open(cid).block(cid, { signal: leaving.signal })
    leaving.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    const reader = source.open(cid)
    const second = reader.block(cid, wait)
    reader.close()
    await expect(second).rejects.toThrow('closed')
  })
})

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function* contentOf(file: FileVector, sizeBytes: number): Generator<Uint8Array> {
  if (file.content !== undefined) return yield new TextEncoder().encode(file.content)
  const key = createHash('sha256')
    .update(file.chacha20 ?? '')
    .digest()
  const cipher = file.chacha20 === undefined ? undefined : createCipheriv('chacha20', key, Buffer.alloc(16))
  for (let at = 0; at < sizeBytes; at += mebibyte) {
    const chunk = Buffer.alloc(Math.min(mebibyte, sizeBytes - at), file.repeat ?? 0)
    yield cipher === undefined ? chunk : cipher.update(chunk)
  }
}
