// A Kubo that loses blocks, answers nonsense, or is asked for what it did before.

import { CID } from 'multiformats/cid'
import { expect, test } from 'vitest'
import type { ContentImage } from '../../shared/ports/content-store.ts'
import { testFile } from '../support/ipfs/content.ts'
import { randomBytes } from '../support/image.ts'
import {
  describeBehindProxy,
  failureOf,
  image,
  large,
  rootsIn,
  small,
  storeAt,
  wait,
} from '../support/ipfs/kubo-faults.ts'

describeBehindProxy((behind) => {
  async function expectWhole({ blocks, files }: ContentImage): Promise<void> {
    for (const { cid } of [...blocks, ...files]) expect(await behind.node.localBlock(cid), cid).toBeDefined()
  }

  test('an image whose files were added before costs three calls', async () => {
    const store = storeAt(behind.proxy.url)
    for (const file of image.files) await store.add(file, wait)
    const before = behind.proxy.calls.length
    await store.publish(image, wait)
    expect(behind.proxy.calls.slice(before)).toEqual(['pin/ls', 'dag/import', 'pin/add'])
  })

  test('a node that answers another CID is told apart, by both names', async () => {
    behind.proxy.answer('add', JSON.stringify({ Name: '', Hash: small.cid, Size: '1' }))
    const { message } = await failureOf(storeAt(behind.proxy.url).add(large, wait))
    expect(message).toContain(small.cid)
    expect(message).toContain(large.cid)
  })

  test('what the garbage collector took between add and publish is added again', async () => {
    const store = storeAt(behind.proxy.url)
    for (const file of image.files) await store.add(file, wait)
    await behind.node.collectGarbage()
    for (const file of image.files) expect(await behind.node.localBlock(file.cid)).toBeUndefined()
    await store.publish(image, wait)
    await behind.node.collectGarbage()
    await expectWhole(image)
    expect(await rootsIn(store)).toEqual([image.root])
  })

  test.each(['published anew', 'published by another origin'])(
    'one leaf that was lost before an image is %s',
    async (how) => {
      const store = storeAt(behind.proxy.url)
      for (const file of image.files) await store.add(file, wait)
      const leaves: string[] = []
      for await (const { ref } of behind.node.rpc.refs(large.cid, { recursive: true })) leaves.push(ref)
      expect(leaves).toHaveLength(3)
      for await (const { error } of behind.node.rpc.block.rm(CID.parse(leaves[1] ?? ''))) if (error) throw error
      await (how === 'published anew' ? store : storeAt(behind.proxy.url)).publish(image, wait)
      await expectWhole(image)
      for (const leaf of leaves) expect(await behind.node.localBlock(leaf)).toBeDefined()
    },
  )

  test('what the garbage collector took just before the pin is added again, directories too', async () => {
    const store = storeAt(behind.proxy.url)
    let runs = 0
    behind.proxy.before('pin/add', async () => {
      runs += 1
      if (runs === 1) await behind.node.collectGarbage()
    })
    await store.publish(image, wait)
    expect(runs).toBe(2)
    await behind.node.collectGarbage()
    await expectWhole(image)
  })

  test('where it is taken again and again, the image is not published', async () => {
    behind.proxy.before('pin/add', () => behind.node.collectGarbage())
    const { message } = await failureOf(storeAt(behind.proxy.url).publish(image, wait))
    expect(message).toContain(image.root)
    expect(message).toContain('not whole')
    expect(await rootsIn(storeAt(behind.node.url))).toEqual([])
  })

  test('an image that is pinned is not pinned again, which would take its pin away meanwhile', async () => {
    await storeAt(behind.proxy.url).publish(image, wait)
    void behind.proxy.failAt('pin/add', 'refuses')
    await storeAt(behind.proxy.url).publish(image, wait)
    expect(behind.proxy.calls.filter((path) => path === 'pin/add')).toHaveLength(1)
  })

  test('an import that fails is tried block by block only where Kubo refused it', async () => {
    void behind.proxy.failAt('dag/import', 'reset at once')
    const files = await Promise.all([4, 5, 6].map((seed) => testFile(randomBytes(seed, 100))))
    const store = storeAt(behind.proxy.url)
    await Promise.all(files.map((file) => failureOf(store.add(file, wait))))
    expect(behind.proxy.calls).toEqual(['dag/import'])
  })
})
