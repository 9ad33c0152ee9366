// Files that are wrong, or made to harm: an import says what is wrong with them, and changes nothing.

import { mkdir, open, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarWriter } from '@ipld/car'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 as hasher } from 'multiformats/hashes/sha2'
import { type Pack, pack } from 'tar-stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { manifestText, ociIndexType, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { temporaryFolder } from '../support/stack.ts'
import { linesOf, peakMemoryOfVerb, runVerb } from '../support/verbs.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let bucket: string
let before: Readonly<Record<string, string>>
let at: (name: string) => string
let layout: string

const [config, layer] = ['{"os":"linux"}', 'a layer']
const manifest = manifestText(config, [layer])
const files: Readonly<Record<string, string>> = {
  'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
  'index.json': indexOf(manifest),
  ...Object.fromEntries([config, layer, manifest].map((text) => [pathOf(text), text])),
}

beforeAll(async () => {
  folder = await temporaryFolder()
  const good = join(folder.path, 'good')
  await writeFiles(good, files)
  // So that there is something that could be damaged.
  await linesOf(runVerb(folder.path, 'import', good, 'good/image'))
  bucket = join(folder.path, 'bucket')
  before = await filesIn(bucket)
})

afterAll(() => folder.remove())

beforeEach(async () => {
  const own = join(folder.path, crypto.randomUUID())
  await mkdir(own)
  at = (name) => join(own, name)
  layout = at('layout')
})

/** Refused with and without a name, for the same reason, and nothing has changed. */
async function expectRefused(file: string, reason: RegExp, ...options: readonly string[]): Promise<void> {
  for (const target of [['bad/image'], []]) {
    const { code, stdout, stderr } = await runVerb(folder.path, 'import', file, ...target, ...options)
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(reason) })
  }
  expect(await filesIn(bucket)).toEqual(before)
}

describe('a layout', () => {
  const changed = (changes: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(
      Object.entries({ ...files, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
  const nested = (entry: object) =>
    JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [{ mediaType: ociManifestType, ...entry }] })
  const lying = nested({ digest: sha256(manifest), size: 1 })
  const sparse = nested({ digest: sha256('nowhere'), size: 7 })
  const wrongSize = manifest.replace(`"size":${layer.length}}]`, '"size":3}]')
  const longer = manifest.replace(`"size":${layer.length}}]`, '"size":300}]')
  const notTaken = JSON.stringify({ schemaVersion: 1 })

  test.each<[string, Readonly<Record<string, string | undefined>>, RegExp]>([
    ['that says no version', { 'oci-layout': undefined }, /oci-layout/],
    ['of another version', { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }, /version 1/],
    ['without an index', { 'index.json': undefined }, /index\.json/],
    ['whose index is no JSON', { 'index.json': '{' }, /index\.json/],
    ['whose index names no digest', { 'index.json': '{"manifests":[{"digest":"../../x","size":1}]}' }, /index\.json/],
    ['of no image', { 'index.json': '{"manifests":[]}' }, /0 images/],
    [
      'of two images',
      { 'index.json': indexOf(manifest, config) },
      new RegExp(`2 images.*--digest.*${sha256(config)}`, 's'),
    ],
    ['without its manifest', { [pathOf(manifest)]: undefined }, new RegExp(`lacks 1 .*${sha256(manifest)}`, 's')],
    [
      'without its blobs',
      { [pathOf(config)]: undefined, [pathOf(layer)]: undefined },
      new RegExp(`lacks 2 .*${sha256(config)}.*${sha256(layer)}`, 's'),
    ],
    ['whose manifest is another', { [pathOf(manifest)]: manifestText(layer, []) }, /is something else/],
    ['whose layer is another', { [pathOf(layer)]: 'b layer' }, new RegExp(`has the digest ${sha256('b layer')}`)],
    ['whose layer is cut off', { [pathOf(layer)]: 'a lay' }, /has 5 bytes, not 7/],
    ['whose layer goes on', { [pathOf(layer)]: 'a layer and more' }, /more than 7 bytes/],
    [
      'whose index lies about the size',
      { 'index.json': indexOf(manifest).replace(/"size":\d+/, '"size":9') },
      /bytes, not 9/,
    ],
    [
      'that says a layer is smaller',
      { [pathOf(wrongSize)]: wrongSize, 'index.json': indexOf(wrongSize) },
      /more than 3 bytes/,
    ],
    ['that says a layer is larger', { [pathOf(longer)]: longer, 'index.json': indexOf(longer) }, /7 bytes, not 300/],
    [
      'of an index that lies about a child',
      { [pathOf(lying)]: lying, 'index.json': indexOf(lying) },
      /not 1 as the index says/,
    ],
    ['of an index without its child', { [pathOf(sparse)]: sparse, 'index.json': indexOf(sparse) }, /lacks 1/],
    [
      'of no manifest that we know',
      { [pathOf(notTaken)]: notTaken, 'index.json': indexOf(notTaken) },
      /cannot be taken/,
    ],
  ])('%s', async (_, changes, reason) => {
    await writeFiles(layout, changed(changes))
    await expectRefused(layout, reason)
    const tar = at('layout.tar')
    await writeTar(tar, async (to) => {
      for (const [name, text] of Object.entries(changed(changes))) to.entry({ name }, text)
    })
    await expectRefused(tar, reason)
  })

  test('an image that is not in it', async () => {
    await writeFiles(layout, files)
    await expectRefused(layout, /choose one by --digest/, '--digest', sha256('another'))
  })

  test.each([pathOf(layer), 'blobs/sha256', 'blobs', 'index.json'])('with a symbolic link at %s', async (path) => {
    const elsewhere = at('elsewhere')
    await writeFiles(elsewhere, files)
    await writeFiles(layout, files)
    await rm(join(layout, path), { recursive: true })
    await symlink(join(elsewhere, path), join(layout, path))
    await expectRefused(layout, /links are not followed/)
  })

  test('that is larger than images may be', async () => {
    const huge = manifest.replace(`"size":${layer.length}}]`, '"size":9000000000000}]')
    await writeFiles(layout, changed({ [pathOf(huge)]: huge, 'index.json': indexOf(huge) }))
    await expectRefused(layout, /is the limit here/)
  })
})

describe('a tar', () => {
  const whole = (to: Pack) => {
    for (const [name, text] of Object.entries(files)) to.entry({ name }, text)
  }

  test.each<[string, (to: Pack) => void, RegExp]>([
    ['with a name that leads out of it', (to) => to.entry({ name: '../../etc/passwd' }, 'x'), /leads out of it/],
    ['with such a name inside', (to) => to.entry({ name: 'blobs/../../x' }, 'x'), /leads out of it/],
    ['with an absolute name', (to) => to.entry({ name: '/etc/passwd' }, 'x'), /leads out of it/],
    [
      'with a symbolic link',
      (to) => to.entry({ name: 'blobs/x', type: 'symlink', linkname: '/etc' }),
      /no regular file/,
    ],
    ['with a hard link', (to) => to.entry({ name: 'x', type: 'link', linkname: 'index.json' }), /no regular file/],
    ['with a device', (to) => to.entry({ name: 'x', type: 'character-device' }), /no regular file/],
    ['with a file twice', (to) => to.entry({ name: './index.json' }, '{}'), /twice/],
  ])('%s', async (_, add, reason) => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      whole(to)
      add(to)
    })
    await expectRefused(tar, reason)
  })

  test('that is cut off', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      whole(to)
      to.entry({ name: 'x' }, 'x'.repeat(100_000))
    })
    await truncate(tar, 50_000)
    await expectRefused(tar, /ends within "x"|no sound tar/)
  })

  test('whose header says a size beyond it, or none that is a number', async () => {
    for (const size of [
      '77777777777',
      '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
    ]) {
      const tar = at('image.tar')
      await writeTar(tar, async (to) => whole(to))
      await patchTarHeader(tar, { size })
      await expectRefused(tar, /ends within|no sound tar/)
    }
  })

  test('of endless headers', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      for (let entry = 0; entry <= 100_000; entry += 1) to.entry({ name: `${entry}` }, '')
    })
    await expectRefused(tar, /more than 100000 entries/)
  })

  test('with extended headers of gibibytes', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      to.entry({ name: 'x' }, Buffer.alloc(64 * 1024 * 1024, '9'))
    })
    await patchTarHeader(tar, { type: 'x' })
    await expectRefused(tar, /no sound tar/)
  })

  test.each([
    ['gunzip', '\x1f\x8b\x08'],
    ['unzstd', '\x28\xb5\x2f\xfd'],
    ['unxz', '\xfd7zXZ\x00'],
    ['bunzip2', 'BZh9'],
  ])('that is compressed is to be unpacked by %s', async (unpack, begin) => {
    await writeFile(at('image.tar.x'), Buffer.from(begin.padEnd(600, 'x'), 'latin1'))
    await expectRefused(at('image.tar.x'), new RegExp(`compressed.*${unpack}`))
  })
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
    const { CarReader } = await import('@ipld/car')
    const { readFile } = await import('node:fs/promises')
    const file = at('good.car')
    await linesOf(runVerb(folder.path, 'export', 'good/image', file))
    before = await filesIn(bucket)
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
      const { code, stderr } = await runVerb(folder.path, 'import', file, 'bad/image')
      // A folder that is not looked into does not matter: `_layers`, and of `_manifests` all but the tag.
      if (code !== 0) expect(stderr).toMatch(/wrong bytes for the block|lacks/)
      else
        expect(
          (await filesIn(bucket))[`docker/registry/v2/repositories/bad/image/_manifests/tags/latest/current/link`],
        ).toBeDefined()
      if (code !== 0) expect(await filesIn(bucket)).toEqual(before)
      await rm(join(bucket, 'docker/registry/v2/repositories/bad'), { recursive: true, force: true })
      before = await filesIn(bucket)
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
    await expectRefused(file, new RegExp(`lacks 1 .*${sha256(layer)}`, 's'))
  })

  test('of no root, of two, and of one that is no image', async () => {
    const blocks = await goodBlocks()
    const [root] = blocks.map(({ cid }) => cid)
    if (root === undefined) throw new Error('there is no root')
    await expectRefused(await writeCar([], blocks), /has 0 root/)
    await expectRefused(await writeCar([root, root], blocks), /has 2 root/)
    await expectRefused(await writeCar([(await rawBlock(config)).cid], blocks), /an image is one whose CID begins/)
    const empty = dagPb.encode(dagPb.prepare({ Data: new Uint8Array([8, 1]), Links: [] }))
    const other = { cid: CID.createV1(dagPb.code, await hasher.digest(empty)), bytes: empty }
    await expectRefused(await writeCar([other.cid], [other]), /no image/)
    await expectRefused(await writeCar([other.cid], blocks), /lacks the block/)
  })

  test('with a block above 2 MiB', async () => {
    const blocks = await goodBlocks()
    const large = await rawBlock(new Uint8Array(2 * 1024 * 1024 + 1))
    await expectRefused(
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
    await expectRefused(file, /ends within|no sound CAR/)
  })

  test.each([
    ['no header', Buffer.alloc(0)],
    ['a header of zeros', Buffer.alloc(100)],
    ['a header of exbibytes', Buffer.from('ffffffffffffff7f', 'hex')],
    ['a varint without an end', Buffer.alloc(1000, 0xff)],
    ['text', Buffer.from('not a CAR at all, but a letter to somebody'.repeat(100))],
  ])('of %s', async (_, bytes) => {
    await writeFile(at('image.car'), bytes)
    await expectRefused(at('image.car'), /no sound CAR|any block has/)
  })

  test('that announces a gibibyte takes no gibibyte of memory', async () => {
    const file = at('image.car')
    // A header of which the length alone is there, then nothing for as far as the file goes.
    await writeFile(file, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04]))
    await truncate(file, 1024 ** 3)
    await expectRefused(file, /any block has/)
    expect(await peakMemoryOfVerb(folder.path, 'import', file)).toBeLessThan(300)
  })

  test('of version 2', async () => {
    const header = Buffer.concat([Buffer.from('0aa16776657273696f6e02', 'hex'), Buffer.alloc(40)])
    await writeFile(at('image.car'), header)
    await expectRefused(at('image.car'), /version 2|no sound CAR/)
  })
})

function indexOf(...contents: readonly string[]): string {
  const manifests = contents.map((text) => ({
    mediaType: ociManifestType,
    digest: sha256(text),
    size: Buffer.byteLength(text),
  }))
  return JSON.stringify({ schemaVersion: 2, manifests })
}

function pathOf(content: string): string {
  return `blobs/${sha256(content).replace(':', '/')}`
}

async function writeFiles(root: string, contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

async function writeTar(file: string, fill: (to: Pack) => Promise<void>): Promise<void> {
  const tar = pack()
  const chunks: Uint8Array[] = []
  const read = (async () => {
    for await (const chunk of tar) chunks.push(chunk as Uint8Array)
  })()
  await fill(tar)
  tar.finalize()
  await read
  await writeFile(file, Buffer.concat(chunks))
}

/** Changes the first header, and makes its checksum right. @param changes.size as its twelve bytes */
async function patchTarHeader(
  file: string,
  { size, type }: { readonly size?: string; readonly type?: string },
): Promise<void> {
  const handle = await open(file, 'r+')
  const header = Buffer.alloc(512)
  await handle.read(header, 0, 512, 0)
  if (size !== undefined) header.write(size.padEnd(12, '\0'), 124, 12, 'latin1')
  if (type !== undefined) header.write(type, 156, 1, 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  await handle.write(header, 0, 512, 0)
  await handle.close()
}
