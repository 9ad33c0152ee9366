// Images on their way without a registry: `cid`, `export` and `import`, on real folders and beside running origins.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CarReader } from '@ipld/car'
import { sha256 as sha256Hasher } from 'multiformats/hashes/sha2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manifestText, pushBlob, pushImage, putManifest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { imageVectors, type ImageVector } from '../support/ipfs/ipfs-vectors.ts'
import { filesIn } from '../support/registry-content.ts'
import { startPart, startStack, type Stack, temporaryFolder, anyPorts } from '../support/stack.ts'
import { linesOf, peakMemoryOfVerb, runVerb } from '../support/verbs.ts'
import { pushVector } from './content-names.suite.ts'

let from: Stack
let to: Stack
let files: Awaited<ReturnType<typeof temporaryFolder>>

const nameOf = (at: number) => `vectors/image-${at}`
const vectors = imageVectors.map((image, at) => [image.name, image, at] as const)
const kinds = ['image.car', 'image.tar', 'folder'] as const

beforeAll(async () => {
  ;[from, to, files] = [await startStack('node'), await startStack('node'), await temporaryFolder()]
  for (const [, image, at] of vectors) await pushVector(from.originUrl, nameOf(at), image)
})

afterAll(async () => {
  await Promise.all([from.stop(), to.stop()])
  await files.remove()
})

const newFile = async (name: string) => {
  const folder = join(files.path, crypto.randomUUID())
  await mkdir(folder)
  return join(folder, name)
}

const exported = async (image: string, name: string) => {
  const file = await newFile(name)
  const [root] = await linesOf(runVerb(from.dataFolder, 'export', image, file))
  return { file, root }
}

/** Everything of an image, from both faces. */
async function expectPulled(stack: Stack, name: string, reference: string, image: ImageVector): Promise<void> {
  for (const base of [stack.originUrl, stack.edgeUrl]) {
    const top = await fetch(`${base}/v2/${name}/manifests/${reference}`)
    expect([top.status, top.headers.get('Docker-Content-Digest')]).toEqual([200, image.manifestDigest])
    for (const [digest, bytes] of image.contents) {
      const isManifest = image.manifests.some((each) => each.digest === digest)
      const answer = await fetch(`${base}/v2/${name}/${isManifest ? 'manifests' : 'blobs'}/${digest}`)
      expect([digest, answer.status]).toEqual([digest, 200])
      expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
    }
  }
}

describe.each(vectors)('the image of the vector "%s"', (_, image, at) => {
  const hex = image.manifestDigest.split(':')[1] ?? ''

  test.each([`${nameOf(at)}:v1`, `${nameOf(at)}@${image.manifestDigest}`, image.root, hex])(
    'has its CID under %s',
    async (name) => {
      expect(await linesOf(runVerb(from.dataFolder, 'cid', name))).toEqual([image.root])
    },
  )

  test('as a CAR has its root first, and each block once, under its own CID', async () => {
    const { file, root } = await exported(`${nameOf(at)}:v1`, 'image.car')
    const car = await CarReader.fromBytes(await readFile(file))
    expect([root, (await car.getRoots()).map(String)]).toEqual([image.root, [image.root]])
    const seen: string[] = []
    for await (const { cid, bytes } of car.blocks()) {
      expect((await sha256Hasher.digest(bytes)).digest).toEqual(cid.multihash.digest)
      seen.push(String(cid))
    }
    expect(seen[0]).toBe(image.root)
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('has the same files in a tar as in a folder, and no others than an OCI layout has', async () => {
    const [tar, folder] = [await exported(image.root, 'image.tar'), await exported(image.root, 'folder')]
    const unpacked = await newFile('unpacked')
    await mkdir(unpacked)
    await promisify(execFile)('tar', ['-xf', tar.file, '-C', unpacked])
    const found = await filesIn(folder.file)
    expect(await filesIn(unpacked)).toEqual(found)
    const blobs = [...image.contents.keys()].map((digest) => `blobs/${digest.replace(':', '/')}`)
    const kept = Object.keys(found).filter((path) => path.startsWith('blobs/'))
    expect(blobs).toEqual(expect.arrayContaining(kept))
    expect(
      Object.keys(found)
        .filter((path) => !path.startsWith('blobs/'))
        .sort(),
    ).toEqual(['index.json', 'oci-layout'])
    for (const path of kept) {
      const [, algorithm = '', name] = path.split('/')
      expect(
        createHash(algorithm)
          .update(await readFile(join(folder.file, path)))
          .digest('hex'),
      ).toBe(name)
    }
  })

  test.each(kinds)('goes as %s into a repository elsewhere, with its digest and its CID', async (kind) => {
    const { file } = await exported(`${nameOf(at)}:v1`, kind)
    const target = `from/${kind.replace('.', '-')}-${at}`
    const lines = await linesOf(runVerb(to.dataFolder, 'import', file, `${target}:v2`))
    expect(lines).toEqual([image.manifestDigest, image.root])
    const answer = await fetch(`${to.originUrl}/v2/${target}/manifests/v2`)
    expect(answer.headers.get('X-Ipfs-Path')).toBe(`/ipfs/${image.root}`)
    await expectPulled(to, target, 'v2', image)
  })
})

describe('without a name', () => {
  let alone: Stack

  beforeAll(async () => {
    alone = await startStack('node')
    return () => alone.stop()
  })

  test.each(vectors.map(([name, image, at]) => [name, kinds[at % kinds.length] ?? 'folder', image, at] as const))(
    'the image "%s" comes as %s, and has its content names only',
    async (_, kind, image, at) => {
      const { file } = await exported(`${nameOf(at)}:v1`, kind)
      const lines = await linesOf(runVerb(alone.dataFolder, 'import', file))
      expect(lines).toEqual([image.manifestDigest, image.root])
      await expectPulled(alone, image.root, 'latest', image)
      await expectPulled(alone, image.manifestDigest.split(':')[1] ?? '', 'latest', image)
      const { repositories } = (await (await fetch(`${alone.originUrl}/v2/_catalog`)).json()) as { repositories: [] }
      expect(repositories).toEqual([])
      const again = await newFile('again.car')
      expect(await linesOf(runVerb(alone.dataFolder, 'export', image.root, again))).toEqual([image.root])
      const [first] = [await exported(`${nameOf(at)}:v1`, 'first.car')]
      expect(sha256(await readFile(again))).toBe(sha256(await readFile(first.file)))
    },
  )
})

describe('an image that was pushed with ipfs.backend: off', () => {
  test('gets its CID from `cid`, is exported, and tells the CID when it is pulled', async () => {
    const data = await temporaryFolder()
    const options = { 'data-dir': data.path, ...anyPorts, 'ipfs-backend': 'off' }
    const [, image] = vectors[0] ?? []
    if (image === undefined) throw new Error('there is no vector')
    const off = await startPart('origin', options)
    try {
      expect((await pushVector(off.url, 'some/name', image)).headers.get('X-Ipfs-Path')).toBeNull()
      expect(await linesOf(runVerb(data.path, 'cid', 'some/name:v1'))).toEqual([image.root])
      const pulled = await fetch(`${off.url}/v2/some/name/manifests/v1`)
      expect(pulled.headers.get('X-Ipfs-Path')).toBe(`/ipfs/${image.root}`)
      const hex = image.manifestDigest.split(':')[1] ?? ''
      expect(await linesOf(runVerb(data.path, 'cid', hex))).toEqual([image.root])
      expect(await linesOf(runVerb(data.path, 'export', 'some/name:v1', await newFile('a.car')))).toEqual([image.root])
      const { layer } = await pushImage(off.url, 'some/name', 'v2', 'loses its layer')
      await fetch(`${off.url}/v2/some/name/blobs/${sha256(layer)}`, { method: 'DELETE' })
      const { code, stderr } = await runVerb(data.path, 'cid', 'some/name:v2')
      expect([code, stderr]).toEqual([1, expect.stringContaining(`blob ${sha256(layer)} is not in some/name`)])
    } finally {
      await off.stop()
      await data.remove()
    }
  })
})

test('a large image moves in little memory', async () => {
  const mib = 1024 * 1024
  const layers = [randomBytes('large layer', 300 * mib), randomBytes('another', 5 * mib)]
  const name = 'large/image'
  for (const layer of layers) await pushBlob(from.originUrl, name, layer)
  await pushBlob(from.originUrl, name, '{}')
  const manifest = JSON.stringify({
    ...(JSON.parse(manifestText('{}', [])) as object),
    layers: layers.map((layer) => ({ mediaType: 'x/y', digest: sha256(layer), size: layer.byteLength })),
  })
  expect((await putManifest(from.originUrl, name, 'v1', manifest)).status).toBe(201)
  for (const kind of kinds) {
    const file = await newFile(kind)
    expect(await peakMemoryOfVerb(from.dataFolder, 'export', `${name}:v1`, file)).toBeLessThan(250)
    const target = `large/${kind.replace('.', '-')}`
    expect(await peakMemoryOfVerb(to.dataFolder, 'import', file, target)).toBeLessThan(250)
    const pulled = await fetch(`${to.originUrl}/v2/${target}/manifests/latest`)
    expect(pulled.headers.get('Docker-Content-Digest')).toBe(sha256(manifest))
  }
})

describe('what cannot be done is said, with what to do', () => {
  const failure = async (...args: string[]) => {
    const { code, stdout, stderr } = await runVerb(from.dataFolder, ...args)
    expect([code, stdout]).toEqual([1, ''])
    return stderr
  }

  test('an index that lists what is not there has no CID', async () => {
    const child = await pushImage(from.originUrl, 'sparse/child', 'v1', 'not in the other')
    const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: child.digest, size: 1 }
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }
    await putManifest(from.originUrl, 'sparse/parent', 'v1', JSON.stringify(index), index.mediaType)
    const said = await failure('cid', 'sparse/parent:v1')
    expect(said).toContain(`manifest ${child.digest} is not in sparse/parent`)
  })

  test.each([
    ['an image that is not there', ['cid', 'no/such:v1'], /there is no image no\/such:v1/],
    ['no name at all', ['cid', 'Not/A/Name'], /say name, name:tag/],
    ['a host in front', ['cid', '127.0.0.1:1970/vectors/image-0'], /without the registry’s host/],
    ['no image named', ['cid'], /IMAGE; see --help/],
    ['too many words', ['cid', 'a', 'b'], /no argument b to take/],
    ['an option that there is not', ['cid', 'a', '--frce', 'x'], /--frce: there is no such option/],
    ['a file that is not there', ['import', '/nowhere/image.car'], /there is no such file/],
    ['a target that is a content name', ['import', '/nowhere', 'a'.repeat(64)], /content name/],
    ['a target with a digest', ['import', '/nowhere', `a@sha256:${'a'.repeat(64)}`], /say name or name:tag/],
    ['a choice that is no digest', ['import', '/nowhere', '--digest', 'latest'], /--digest: must be a digest/],
  ])('%s', async (_, args, expected) => {
    expect(await failure(...args)).toMatch(expected)
  })

  test('a bucket that is not there', async () => {
    const { code, stderr } = await runVerb(join(files.path, 'nowhere'), 'cid', 'a')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/there is no bucket at .*--data-dir/)])
    expect(await readdir(files.path)).not.toContain('nowhere')
  })

  test('a registry that is read-only takes no import', async () => {
    const { file } = await exported(`${nameOf(0)}:v1`, 'image.car')
    const { code, stderr } = await runVerb(to.dataFolder, 'import', file, '--access-read-only', 'true')
    expect([code, stderr]).toEqual([1, expect.stringContaining('access.read_only')])
  })

  test('what is there is kept, but for a file with --force', async () => {
    const { file } = await exported(`${nameOf(0)}:v1`, 'image.car')
    const bytes = await readFile(file)
    await writeFile(file, 'precious')
    expect(await failure('export', `${nameOf(0)}:v1`, file)).toContain('--force')
    expect(await readFile(file, 'utf8')).toBe('precious')
    await linesOf(runVerb(from.dataFolder, 'export', '--force', `${nameOf(0)}:v1`, file))
    expect(sha256(await readFile(file))).toBe(sha256(bytes))
    const folder = join(file, '..')
    expect(await failure('export', `${nameOf(0)}:v1`, folder, '--force')).toContain('is not empty')
    expect(await failure('export', `${nameOf(0)}:v1`, join(folder, 'no/such/folder.tar'))).toContain('make it first')
    const empty = join(folder, 'empty')
    await mkdir(empty)
    await linesOf(runVerb(from.dataFolder, 'export', `${nameOf(0)}:v1`, empty))
    expect(await readdir(empty)).toEqual(expect.arrayContaining(['blobs', 'index.json', 'oci-layout']))
    expect((await readdir(folder)).sort()).toEqual(['empty', 'image.car'])
  })

  test.each(kinds)('a blob that rotted leaves no %s behind', async (kind) => {
    const seed = `rots before it is exported as ${kind}`
    const { layer } = await pushImage(from.originUrl, 'rotten/image', kind, seed)
    const hex = sha256(layer).slice('sha256:'.length)
    const data = join(from.dataFolder, `bucket/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)
    await writeFile(data, 'x'.repeat((await stat(data)).size))
    const file = await newFile(kind)
    expect(await failure('export', `rotten/image:${kind}`, file)).toMatch(/^mirrorball: .* damaged; push it again\n$/)
    expect(await readdir(join(file, '..'))).toEqual([])
  })
})
