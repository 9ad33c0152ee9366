// What only a real Kubo can tell: that it names files as the vectors say, and how it looks for blocks.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKuboClient } from '../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboSource } from '../../origin/ipfs/kubo/kubo-source.ts'
import { createKuboStore } from '../../origin/ipfs/kubo/kubo-store.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { blockLimitBytes } from '../../shared/ports/block-source.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { describeWith } from '../support/clients/programs.ts'
import { testFile, testImage } from '../support/ipfs/content.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { fileVectors, smallFiles } from '../support/ipfs/ipfs-vectors.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'

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

  const large = process.env['MIRRORBALL_TEST_LARGE_GIB'] !== undefined
  test.each((large ? fileVectors : smallFiles).map((file) => [file.about, file] as const))(
    'names a file as the vectors do: %s',
    async (_, file) => {
      const open = async () => ReadableStream.from(file.chunks(mebibyte))
      await makeStore().add({ cid: file.cid, sizeBytes: file.sizeBytes, open }, wait)
      expect(await node.localBlock(file.cid)).toBeDefined()
    },
  )

  test('adds of one file at once are one', async () => {
    const store = makeStore()
    for (const sizeBytes of [1000, 3 * mebibyte]) {
      const file = await testFile(randomBytes(1, sizeBytes))
      await Promise.all([store.add(file, wait), store.add(file, wait), store.add(file, wait)])
      expect(file.opened).toBe(1)
      await store.add(file, wait)
      expect(file.opened).toBe(2)
    }
  })

  test('a file that was added, or that another image has, is not sent again with its image', async () => {
    const [added, shared] = [await testFile(randomBytes(2, 3 * mebibyte)), await testFile(randomBytes(3, 3 * mebibyte))]
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
    const file = await testFile(randomBytes(4, 3 * mebibyte + 1))
    const [kept, gone] = [await testImage([file], ['kept']), await testImage([file], ['gone'])]
    const unpublished = await testFile(randomBytes(5, 1000))
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
    const bytes = randomBytes(where.length, mebibyte)
    const file = await testFile(bytes)
    const store = createKuboStore({ kubo: clientOf(where === 'near' ? near : far), clock: systemClock })
    await store.add(file, wait)
    expect(sha256((await ask(file.cid)) ?? new Uint8Array())).toBe(sha256(bytes))
  })

  test('a block that nobody has is undefined', async () => {
    expect(await ask((await testFile(randomBytes(7, 100))).cid)).toBeUndefined()
  })

  test('a block that the node has comes though its search was over before it began, as in one that is held up', async () => {
    const file = await testFile(randomBytes('held up', 1000))
    await createKuboStore({ kubo: clientOf(near), clock: systemClock }).add(file, wait)
    const reader = createKuboSource({ kubo: clientOf(near), searchMs: 0.001 }).open(file.cid)
    expect((await reader.block(file.cid, wait))?.byteLength).toBe(1000)
    expect(await reader.block((await testFile(randomBytes('nobody', 100))).cid, wait)).toBeUndefined()
    reader.close()
  })

  test('a block over the limit is refused, one at the limit is not', async () => {
    for (const sizeBytes of [blockLimitBytes, blockLimitBytes + 1]) {
      const options = { format: 'raw', mhtype: 'sha2-256', allowBigBlock: true }
      const cid = String(await near.rpc.block.put(randomBytes(8, sizeBytes), options)) as Cid
      if (sizeBytes === blockLimitBytes) expect((await ask(cid))?.byteLength).toBe(sizeBytes)
      else await expect(ask(cid)).rejects.toThrow(UpstreamError)
    }
  })

  test('one who leaves, or closes, is let go', async () => {
    const { cid } = await testFile(randomBytes(9, 100))
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
