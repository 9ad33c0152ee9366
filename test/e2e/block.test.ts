// `block`, `unblock` and `blocked`, beside a running registry.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  manifestText,
  ociError,
  ociIndexType,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { anyPorts, eventually, type Part, startPart, startStack, type Stack } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

const anyLoopback = '/ip4/127.0.0.1/tcp/0'

let stack: Stack
/** Two that reach each other over IPFS. */
let near: Stack
let far: Stack

beforeAll(async () => {
  stack = await startStack('node')
  near = await startStack('node', undefined, { 'ipfs-listen': anyLoopback })
  const [peer] = String(near.log('origin').find(({ msg }) => msg === 'ready')?.['ipfs']).split(',')
  far = await startStack('node', undefined, { 'ipfs-peers': peer ?? '', 'ipfs-fetch-timeout-ms': '6000' })
})

afterAll(async () => {
  await far.stop()
  await near.stop()
  await stack.stop()
})

const run = (...args: readonly string[]) => linesOf(runVerb(stack.dataFolder, ...args))
const hexOf = (digest: string) => digest.split(':')[1] ?? ''
const rootOf = async (name: string, at = stack) => (await linesOf(runVerb(at.dataFolder, 'cid', name)))[0] ?? ''

/** An edge that has seen nothing yet. */
async function withNewEdge(use: (base: string) => Promise<void>): Promise<void> {
  const edge: Part = await startPart('edge', {
    ...anyPorts,
    'data-dir': stack.dataFolder,
    'bucket-url': stack.bucketUrl,
    'edge-origin-url': stack.originUrl,
  })
  try {
    await use(edge.url)
  } finally {
    await edge.stop()
  }
}

const statusOf = async (url: string) => {
  const answer = await fetch(url, { redirect: 'manual' })
  await answer.body?.cancel()
  return answer.status
}

describe('an image', () => {
  test('is gone under every name once it is blocked, cannot be pushed, and can be when it is unblocked', async () => {
    const seed = 'taken down'
    const image = await pushImage(stack.originUrl, 'bad/image', 'v1', seed)
    for (const [name, tag] of [
      ['bad/image', 'v2'],
      ['bad/other', 'v1'],
    ] as const)
      await pushImage(stack.originUrl, name, tag, seed)
    const kept = await pushImage(stack.originUrl, 'bad/image', 'kept', 'another image')
    const root = await rootOf('bad/image:v1')
    const lines = await run('block', image.digest, '--reason', 'a court said so')
    expect(lines).toEqual([
      `blocked ${image.digest}`,
      `blocked ${root}`,
      'taken from 2 repositories and 1 images on IPFS',
    ])
    const paths = [
      ...['v1', 'v2', image.digest].map((reference) => `bad/image/manifests/${reference}`),
      ...['v1', image.digest].map((reference) => `bad/other/manifests/${reference}`),
      ...[root, hexOf(image.digest)].flatMap((name) => [
        `${name}/manifests/latest`,
        `${name}/manifests/${image.digest}`,
        `${name}/blobs/${sha256(image.layer)}`,
        `${name}/tags/list`,
      ]),
    ]
    await withNewEdge(async (edge) => {
      for (const base of [stack.originUrl, edge]) {
        for (const path of paths) expect([path, await statusOf(`${base}/v2/${path}`)]).toEqual([path, 404])
        expect(await (await fetch(`${base}/v2/bad/image/tags/list`)).json()).toMatchObject({ tags: ['kept'] })
        expect(await statusOf(`${base}/v2/bad/image/manifests/${kept.digest}`)).toBe(200)
      }
    })
    for (const base of [stack.originUrl, stack.edgeUrl]) {
      const again = await putManifest(base, 'bad/image', 'v3', image.manifest)
      const detail = `${image.digest} is blocked here: a court said so`
      expect(await ociError(again)).toEqual({ status: 403, code: 'DENIED', detail })
    }
    const index = indexOf(image.digest, image.manifest)
    expect(await ociError(await putManifest(stack.originUrl, 'bad/image', 'v3', index, ociIndexType))).toMatchObject({
      code: 'DENIED',
    })
    const listed = [image.digest, root].map((each) => expect.stringMatching(`^${each}\t20[^\t]*\ta court said so$`))
    expect(await run('blocked')).toEqual(listed)

    expect(await run('unblock', root)).toEqual([`unblocked ${image.digest}`, `unblocked ${root}`])
    expect(await run('blocked')).toEqual([''])
    for (const path of paths) expect(await statusOf(`${stack.originUrl}/v2/${path}`)).toBe(404)
    await pushImage(stack.originUrl, 'bad/image', 'v1', seed)
    for (const path of ['bad/image/manifests/v1', `${root}/manifests/latest`])
      expect(await statusOf(`${stack.originUrl}/v2/${path}`)).toBe(200)
  })

  test('that is part of an index takes the content names of the index with it', async () => {
    const image = await pushImage(stack.originUrl, 'bad/multi', 'amd64', 'one of an index')
    const index = indexOf(image.digest, image.manifest)
    expect((await putManifest(stack.originUrl, 'bad/multi', 'all', index, ociIndexType)).status).toBe(201)
    const root = await rootOf('bad/multi:all')
    await run('block', image.digest)
    for (const path of [`${root}/manifests/latest`, `${root}/manifests/${image.digest}`, `bad/multi/manifests/amd64`])
      expect(await statusOf(`${stack.originUrl}/v2/${path}`)).toBe(404)
    expect(await statusOf(`${stack.originUrl}/v2/bad/multi/manifests/all`)).toBe(200)
  })

  test('is no longer handed out over IPFS', async () => {
    const [bad, good] = [
      await pushImage(near.originUrl, 'ipfs/bad', 'v1', 'not for IPFS'),
      await pushImage(near.originUrl, 'ipfs/good', 'v1', 'for IPFS'),
    ]
    const [badRoot, goodRoot] = [await rootOf('ipfs/bad:v1', near), await rootOf('ipfs/good:v1', near)]
    await linesOf(runVerb(near.dataFolder, 'block', bad.digest))
    expect(await statusOf(`${far.originUrl}/v2/${goodRoot}/manifests/latest`)).toBe(200)
    expect(await statusOf(`${far.originUrl}/v2/${goodRoot}/blobs/${sha256(good.layer)}`)).toBe(200)
    expect(await statusOf(`${far.originUrl}/v2/${badRoot}/manifests/latest`)).toBe(404)
  })

  test.each(['root', 'digest', 'layer'] as const)('is not fetched by a registry that blocked its %s', async (what) => {
    const image = await pushImage(near.originUrl, `fetched/${what}`, 'v1', `blocked far away by its ${what}`)
    const root = await rootOf(`fetched/${what}:v1`, near)
    const blocked = { root, digest: image.digest, layer: sha256(image.layer) }[what]
    await linesOf(runVerb(far.dataFolder, 'block', blocked, '--reason', 'not here'))
    for (const base of [far.originUrl, far.edgeUrl]) {
      const answer = await fetch(`${base}/v2/${root}/manifests/latest`)
      expect(await ociError(answer)).toMatchObject({
        status: 403,
        code: 'DENIED',
        detail: expect.stringMatching('not here'),
      })
    }
    await linesOf(runVerb(far.dataFolder, 'unblock', blocked))
    // A peer does not send a block again that it sent some seconds ago.
    const url = `${far.originUrl}/v2/${root}/manifests/latest`
    await eventually('it is fetched', async () => (await statusOf(url)) === 200, 30_000)
  })

  test('that was fetched is gone, with its content names', async () => {
    const image = await pushImage(near.originUrl, 'fetched/gone', 'v1', 'fetched, and then blocked')
    const root = await rootOf('fetched/gone:v1', near)
    const url = `${far.originUrl}/v2/${root}/manifests/latest`
    expect(await statusOf(url)).toBe(200)
    await linesOf(runVerb(far.dataFolder, 'block', root))
    expect(await statusOf(url)).toBe(403)
    expect(await statusOf(`${far.originUrl}/v2/${hexOf(image.digest)}/manifests/latest`)).toBe(404)
  })

  test('is not imported', async () => {
    const image = await pushImage(stack.originUrl, 'file/image', 'v1', 'blocked before it is imported')
    const file = join(stack.dataFolder, 'image.car')
    await run('export', 'file/image:v1', file)
    for (const blocked of [image.digest, sha256(image.layer)]) {
      await run('block', blocked, '--reason', 'not here')
      for (const target of [[], ['file/again']]) {
        const { code, stderr } = await runVerb(stack.dataFolder, 'import', file, ...target)
        expect([code, stderr]).toEqual([1, expect.stringMatching(/is blocked here: not here/)])
      }
      await run('unblock', blocked)
    }
    await run('import', file, 'file/again')
    expect(await statusOf(`${stack.originUrl}/v2/file/again/manifests/latest`)).toBe(200)
  })
})

describe('a blob', () => {
  test('is gone everywhere, with the content names of its images, and is neither pushed, mounted nor named', async () => {
    const image = await pushImage(stack.originUrl, 'blob/one', 'v1', 'has a bad layer')
    await pushImage(stack.originUrl, 'blob/two', 'v1', 'has a bad layer')
    const [root, digest] = [await rootOf('blob/one:v1'), sha256(image.layer)]
    expect((await run('block', digest)).at(-1)).toBe('taken from 2 repositories and 1 images on IPFS')
    await withNewEdge(async (edge) => {
      for (const base of [stack.originUrl, edge]) {
        for (const name of ['blob/one', 'blob/two', root, hexOf(image.digest)])
          expect([name, await statusOf(`${base}/v2/${name}/blobs/${digest}`)]).toEqual([name, 404])
        expect(await statusOf(`${base}/v2/blob/one/manifests/v1`)).toBe(200)
      }
    })
    const base = stack.originUrl
    const post = (query: string, body?: string) =>
      fetch(`${base}/v2/blob/three/blobs/uploads/?${query}`, {
        method: 'POST',
        ...(body === undefined ? {} : { body }),
      })
    const url = withDigest(await startUpload(base, 'blob/three'), digest)
    await pushBlob(base, 'blob/three', image.config)
    const other = { ...(JSON.parse(manifestText(image.config, [image.layer])) as object), annotations: { a: 'b' } }
    const answers = [
      await fetch(url, { method: 'PUT', body: image.layer }),
      await post(`digest=${digest}`, image.layer),
      await post(`mount=${digest}&from=blob/one`),
      await post(`mount=${digest}`),
      await putManifest(base, 'blob/three', 'v1', JSON.stringify(other)),
    ]
    for (const answer of answers) expect(await ociError(answer)).toMatchObject({ status: 403, code: 'DENIED' })
    await run('unblock', digest)
    await pushBlob(base, 'blob/three', image.layer)
    expect((await putManifest(base, 'blob/three', 'v1', JSON.stringify(other))).status).toBe(201)
    await pushImage(base, 'blob/one', 'v1', 'has a bad layer')
    expect(await statusOf(`${base}/v2/${root}/blobs/${digest}`)).toBe(200)
  })
})

test.each([
  ['nonsense', ['block', 'nonsense'], /can not be blocked; say a digest/],
  ['a reason without an end', ['block', sha256('x'), '--reason', 'x'.repeat(1001)], /at most 1000 bytes/],
  ['what is not blocked', ['unblock', sha256('never blocked')], /is not blocked; mirrorball blocked lists/],
  ['nothing', ['block'], /CONTENT; see --help/],
  ['while read-only', ['block', sha256('x'), '--access-read-only', 'true'], /access.read_only/],
])('%s is refused', async (_, args, reason) => {
  const { code, stdout, stderr } = await runVerb(stack.dataFolder, ...args)
  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(reason) })
})

function indexOf(digest: string, manifest: string): string {
  const entry = { mediaType: ociManifestType, digest, size: Buffer.byteLength(manifest) }
  return JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [entry] })
}
