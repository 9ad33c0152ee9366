// CARs that are wrong, or made to harm: an import says what is wrong with them, and changes nothing.

import { open, rm, truncate, writeFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarReader, CarWriter } from '@ipld/car'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 as hasher } from 'multiformats/hashes/sha2'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { linesOf, peakMemoryOfVerb, runVerb } from '../support/verbs.ts'
import { config, layer, type ImportTrials, startImportTrials } from '../support/image-files/import-trials.ts'

let trials: ImportTrials
let at: (name: string) => string

beforeAll(async () => {
  trials = await startImportTrials()
  return trials.stop
})

beforeEach(async () => {
  const folder = await trials.newFolder()
  at = (name) => join(folder, name)
})

describe('a CAR', () => {
  interface CarBlock {
    readonly cid: CID
    readonly bytes: Uint8Array
  }

  const rawBlock = async (text: string | Uint8Array): Promise<CarBlock> => {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    return { cid: CID.createV1(raw.code, await hasher.digest(bytes)), bytes }
  }

  /** The blocks of the good image, the root first. */
  const goodBlocks = async (): Promise<CarBlock[]> => {
    const file = at('good.car')
    await linesOf(runVerb(trials.dataFolder, 'export', 'good/image', file))
    await trials.acceptBucket()
    const blocks: CarBlock[] = []
    for await (const block of (await CarReader.fromBytes(await readFile(file))).blocks()) blocks.push(block)
    return blocks
  }

  const writeCar = async (roots: readonly CID[], blocks: readonly CarBlock[]): Promise<string> => {
    const { writer, out } = CarWriter.create([...roots])
    const writing = (async () => {
      for (const block of blocks) await writer.put(block)
      await writer.close()
    })()
    const chunks: Uint8Array[] = []
    for await (const chunk of out) chunks.push(chunk)
    await writing
    await writeFile(at('image.car'), Buffer.concat(chunks))
    return at('image.car')
  }

  test('with wrong bytes in each of its blocks in turn', async () => {
    const blocks = await goodBlocks()
    for (const [wrong, { cid }] of blocks.entries()) {
      const changed = blocks.map((block, place) =>
        place === wrong
          ? { cid, bytes: Uint8Array.from(block.bytes, (byte, at) => (at === 0 ? byte ^ 1 : byte)) }
          : block,
      )
      const file = await writeCar([blocks[0]?.cid ?? cid], changed)
      const { code, stderr } = await runVerb(trials.dataFolder, 'import', file, 'bad/image')
      // A folder that is not looked into does not matter: `_layers`, and of `_manifests` all but the tag.
      if (code !== 0) expect(stderr).toMatch(/wrong bytes for the block|lacks/)
      else
        expect(
          (await filesIn(trials.bucketFolder))[
            `docker/registry/v2/repositories/bad/image/_manifests/tags/latest/current/link`
          ],
        ).toBeDefined()
      if (code !== 0) await trials.expectUnchanged()
      await rm(join(trials.bucketFolder, 'docker/registry/v2/repositories/bad'), { recursive: true, force: true })
      await trials.acceptBucket()
    }
  })

  test('without one of its blobs says which', async () => {
    const blocks = await goodBlocks()
    const [root] = blocks
    const gone = await rawBlock(layer)
    const file = await writeCar(
      root === undefined ? [] : [root.cid],
      blocks.filter(({ cid }) => !cid.equals(gone.cid)),
    )
    await trials.expectRefused(file, new RegExp(`lacks 1 .*${sha256(layer)}`, 's'))
  })

  test('of no root, of two, and of one that is no image', async () => {
    const blocks = await goodBlocks()
    const [root] = blocks.map(({ cid }) => cid)
    if (root === undefined) throw new Error('there is no root')
    await trials.expectRefused(await writeCar([], blocks), /has 0 root/)
    await trials.expectRefused(await writeCar([root, root], blocks), /has 2 root/)
    await trials.expectRefused(
      await writeCar([(await rawBlock(config)).cid], blocks),
      /an image is one whose CID begins/,
    )
    const empty = dagPb.encode(dagPb.prepare({ Data: new Uint8Array([8, 1]), Links: [] }))
    const other = { cid: CID.createV1(dagPb.code, await hasher.digest(empty)), bytes: empty }
    await trials.expectRefused(await writeCar([other.cid], [other]), /no image/)
    await trials.expectRefused(await writeCar([other.cid], blocks), /lacks the block/)
  })

  test('with a block above 2 MiB', async () => {
    const blocks = await goodBlocks()
    const large = await rawBlock(new Uint8Array(2 * 1024 * 1024 + 1))
    await trials.expectRefused(
      await writeCar(
        blocks.slice(0, 1).map(({ cid }) => cid),
        [...blocks, large],
      ),
      /is the limit|any block has/,
    )
  })

  test('that is cut off within a block', async () => {
    const blocks = await goodBlocks()
    const file = await writeCar(
      blocks.slice(0, 1).map(({ cid }) => cid),
      [...blocks, await rawBlock('x'.repeat(1000))],
    )
    const handle = await open(file, 'r+')
    await handle.truncate((await handle.stat()).size - 500)
    await handle.close()
    await trials.expectRefused(file, /ends within|no sound CAR/)
  })

  test.each([
    ['no header', Buffer.alloc(0)],
    ['a header of zeros', Buffer.alloc(100)],
    ['a header of exbibytes', Buffer.from('ffffffffffffff7f', 'hex')],
    ['a varint without an end', Buffer.alloc(1000, 0xff)],
    ['text', Buffer.from('not a CAR at all, but a letter to somebody'.repeat(100))],
  ])('of %s', async (_, bytes) => {
    await writeFile(at('image.car'), bytes)
    await trials.expectRefused(at('image.car'), /no sound CAR|any block has/)
  })

  test('that announces a gibibyte takes no gibibyte of memory', async () => {
    const file = at('image.car')
    // A header of which the length alone is there, then nothing for as far as the file goes.
    await writeFile(file, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04]))
    await truncate(file, 1024 ** 3)
    await trials.expectRefused(file, /any block has/)
    expect(await peakMemoryOfVerb(trials.dataFolder, 'import', file)).toBeLessThan(300)
  })

  test('of version 2', async () => {
    const header = Buffer.concat([Buffer.from('0aa16776657273696f6e02', 'hex'), Buffer.alloc(40)])
    await writeFile(at('image.car'), header)
    await trials.expectRefused(at('image.car'), /version 2|no sound CAR/)
  })
})
