// What every store of published images does.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { ContentImage, ContentStore } from '../../shared/ports/content-store.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { testFile, testImage } from '../support/ipfs/content.ts'
import { randomBytes } from '../support/image.ts'

const wait: Wait = { signal: new AbortController().signal }
const mebibyte = 1024 * 1024

export interface ContentStoreUnderTest {
  readonly store: ContentStore
  /** The bytes of a block, as another node would get them. */
  block(cid: Cid): Promise<Uint8Array | undefined>
  stop(): Promise<void>
}

/** Tells quickly, where the runner's own comparison takes its time over large arrays. */
function same(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0
}

/** @param make an empty store for each test */
export function contentStoreContract(adapter: string, make: () => Promise<ContentStoreUnderTest>): void {
  describe(`content store: ${adapter}`, () => {
    let under: ContentStoreUnderTest
    let store: ContentStore

    beforeEach(async () => {
      under = await make()
      store = under.store
    })

    afterEach(() => under.stop())

    async function published(until = wait): Promise<Cid[]> {
      const roots: Cid[] = []
      for await (const root of store.published(until)) roots.push(root)
      return roots.sort()
    }

    async function expectWhole(image: ContentImage): Promise<void> {
      for (const { cid, bytes } of image.blocks) expect(same(await under.block(cid), bytes), cid).toBe(true)
      for (const { cid } of image.files) expect(await under.block(cid)).toBeDefined()
    }

    const someImage = async (seed: number) =>
      testImage(
        [await testFile(randomBytes(seed, 3 * mebibyte + 5)), await testFile(randomBytes(seed + 1, 1000))],
        ['one', `two ${seed}`],
      )

    test('nothing is published at first', async () => {
      expect(await published()).toEqual([])
    })

    test('an image whose files were added before is whole, and listed', async () => {
      const image = await someImage(10)
      for (const file of image.files) await store.add(file, wait)
      await store.publish(image, wait)
      await expectWhole(image)
      expect(await published()).toEqual([image.root])
    })

    test('an image whose files were not added is whole, and listed', async () => {
      const image = await someImage(20)
      await store.publish(image, wait)
      await expectWhole(image)
      expect(await published()).toEqual([image.root])
    })

    test('an image may be published again, also twice at once', async () => {
      const image = await someImage(30)
      await Promise.all([store.publish(image, wait), store.publish(image, wait)])
      await store.publish(image, wait)
      await expectWhole(image)
      expect(await published()).toEqual([image.root])
    })

    test('images are let go of one by one', async () => {
      const shared = await testFile(randomBytes(40, 2 * mebibyte))
      const [first, second] = [await testImage([shared], ['first']), await testImage([shared], ['second'])]
      for (const image of [first, second]) await store.publish(image, wait)
      expect(await published()).toEqual([first.root, second.root].sort())
      await store.unpublish(first.root, wait)
      await expectWhole(second)
      expect(await published()).toEqual([second.root])
      await store.unpublish(second.root, wait)
      expect(await published()).toEqual([])
      await store.publish(first, wait)
      await expectWhole(first)
      expect(await published()).toEqual([first.root])
    })

    test('letting go of what is not kept does nothing', async () => {
      const [kept, other] = [await someImage(50), await someImage(60)]
      await store.publish(kept, wait)
      await store.unpublish(other.root, wait)
      // A part of an image is not an image.
      for (const { cid } of [...kept.blocks, ...kept.files]) if (cid !== kept.root) await store.unpublish(cid, wait)
      expect(await published()).toEqual([kept.root])
      await expectWhole(kept)
    })

    test.each([0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 4 * mebibyte])('a file of %i bytes', async (sizeBytes) => {
      const file = await testFile(randomBytes(70, sizeBytes))
      await store.add(file, wait)
      const image = await testImage([file])
      await store.publish(image, wait)
      await expectWhole(image)
    })

    test('many small files at once', async () => {
      const files = await Promise.all(Array.from({ length: 60 }, (_, at) => testFile(randomBytes(at, 300_000 + at))))
      await Promise.all(files.map((file) => store.add(file, wait)))
      const image = await testImage(files, ['small'])
      await store.publish(image, wait)
      await expectWhole(image)
      for (const [at, { cid }] of files.entries())
        expect(same(await under.block(cid), randomBytes(at, 300_000 + at)), cid).toBe(true)
    })

    test.each([1000, 3 * mebibyte])(
      'a file of %i bytes under another name is refused, others beside it are not',
      async (sizeBytes) => {
        const right = await testFile(randomBytes(80, sizeBytes))
        const other = await testFile(randomBytes(81, sizeBytes))
        const neighbours = await Promise.all([82, 83].map((seed) => testFile(randomBytes(seed, sizeBytes))))
        const wrong = { ...right, cid: other.cid }
        const [refused, ...taken] = await Promise.allSettled(
          [wrong, ...neighbours].map((file) => store.add(file, wait)),
        )
        expect(taken.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
        expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(UpstreamError) as unknown })
        expect(String((refused as PromiseRejectedResult).reason)).toContain(other.cid)
      },
    )

    test('no call begins for one who has left', async () => {
      const image = await someImage(90)
      const [file] = image.files
      if (file === undefined) throw new Error('the image has files')
      const left = { signal: AbortSignal.abort(new Error('left')) }
      await expect(store.add(file, left)).rejects.toThrow('left')
      await expect(store.publish(image, left)).rejects.toThrow('left')
      await expect(store.unpublish(image.root, left)).rejects.toThrow('left')
      await expect(published(left)).rejects.toThrow('left')
      expect(await published()).toEqual([])
    })

    test('one who leaves does not take along another who publishes the same', async () => {
      const image = await someImage(95)
      const leaving = new AbortController()
      const first = store.publish(image, { signal: leaving.signal })
      const second = store.publish(image, wait)
      leaving.abort(new Error('left'))
      await expect(first).rejects.toThrow('left')
      await second
      await expectWhole(image)
      expect(await published()).toEqual([image.root])
    })
  })
}
