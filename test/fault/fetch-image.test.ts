// Images that come from IPFS: nothing wrong is published, nobody waits without end, and nothing is fetched twice.

import { describe, expect, test } from 'vitest'
import { cidOfSmallBlob, parseCid } from '../../shared/ipfs/cid.ts'
import { directoryOf, type Entry, type Tree } from '../../shared/ipfs/directory-shape.ts'
import { createSearchLimit } from '../../shared/http/request-limit.ts'
import { blobKey, fetchedKey } from '../../shared/layout/keys.ts'
import type { BlockSource } from '../../shared/ports/block-source.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { manifestText, ociError } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createRegistry, pushTo, type Registry, sourceOf } from '../support/ipfs/ipfs-world.ts'
import { eventually } from '../support/stack.ts'

const hour = 3600_000
const layer = 'a layer of the image '.repeat(1000)
const smallCid = (text: string) => cidOfSmallBlob(sha256(text) as Digest, Buffer.byteLength(text)) as Cid
const hexOf = (text: string) => sha256(text).slice('sha256:'.length)

/** Files by CID, as a source. */
function sourceOfFiles(files: ReadonlyMap<Cid, Uint8Array>): BlockSource {
  return sourceOf({ get: async (cid) => files.get(cid) })
}

/** A root that somebody made by hand. Texts are files. */
async function handmade(tree: Readonly<Record<string, unknown>>): Promise<{ root: Cid; files: Map<Cid, Uint8Array> }> {
  const files = new Map<Cid, Uint8Array>()
  const file = (text: string): Entry => {
    files.set(smallCid(text), new TextEncoder().encode(text))
    return { cid: smallCid(text), dagSizeBytes: Buffer.byteLength(text) }
  }
  const treeOf = (each: Readonly<Record<string, unknown>>): Tree =>
    Object.fromEntries(
      Object.entries(each).map(([name, child]) => [
        name,
        typeof child === 'string' ? file(child) : treeOf(child as Readonly<Record<string, unknown>>),
      ]),
    )
  const { top, nodes } = await directoryOf(treeOf(tree))
  for (const { cid, bytes } of nodes) files.set(cid, bytes)
  return { root: top.cid, files }
}

const config = '{"a":"config"}'
const manifest = manifestText(config, [layer])
const link = { _manifests: { tags: { latest: { current: { link: sha256(manifest) } } } } }
const disco = (entries: Readonly<Record<string, string>>) =>
  `${JSON.stringify({ blobs: Object.entries(entries).map(([text, named]) => ({ digest: hexOf(text), cid: smallCid(named) })) })}\n`

async function get({ origin }: Registry, path: string, method = 'GET') {
  return origin.request(`/v2/${path}`, { method })
}

describe('a root', () => {
  test('that lies about a blob in one place is taken by the other, and the lie is not tried again', async () => {
    const { root, files } = await handmade({
      ...link,
      'disco.json': disco({ [manifest]: manifest, [config]: config, [layer]: layer }),
      blobs: { sha256: { [hexOf(layer)]: 'something else', [hexOf(manifest)]: 'no manifest' } },
    })
    for (const text of [manifest, config, layer]) files.set(smallCid(text), new TextEncoder().encode(text))
    const registry = createRegistry({ sources: [sourceOfFiles(files)] })
    expect(await (await get(registry, `${root}/manifests/latest`)).text()).toBe(manifest)
    const blob = await get(registry, `${root}/blobs/${sha256(layer)}`)
    expect([blob.status, await blob.text()]).toEqual([200, layer])
  })

  test('that lies about the size of a blob does not spoil its right name for others', async () => {
    const lying = JSON.stringify({
      ...(JSON.parse(manifest) as object),
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: 1 }],
    })
    const named = (text: string) => ({
      _manifests: { tags: { latest: { current: { link: sha256(text) } } } },
      'disco.json': disco({ [text]: text, [config]: config, [layer]: layer }),
    })
    const [liar, honest] = [await handmade(named(lying)), await handmade(named(manifest))]
    const files = new Map([...liar.files, ...honest.files])
    for (const text of [manifest, lying, config, layer]) files.set(smallCid(text), new TextEncoder().encode(text))
    const registry = createRegistry({ sources: [sourceOfFiles(files)] })
    expect((await get(registry, `${liar.root}/blobs/${sha256(layer)}`)).status).toBe(404)
    const blob = await get(registry, `${honest.root}/blobs/${sha256(layer)}`)
    expect([blob.status, await blob.text()]).toEqual([200, layer])
  })

  test('that lies about a blob everywhere gives none of it, and publishes nothing', async () => {
    const { root, files } = await handmade({
      ...link,
      'disco.json': disco({ [manifest]: manifest, [config]: config, [layer]: 'something else' }),
    })
    for (const text of [manifest, config]) files.set(smallCid(text), new TextEncoder().encode(text))
    files.set(smallCid('something else'), new TextEncoder().encode('something else'))
    const registry = createRegistry({ sources: [sourceOfFiles(files)] })
    expect((await get(registry, `${root}/manifests/latest`)).status).toBe(200)
    const { status, code } = await ociError(await get(registry, `${root}/blobs/${sha256(layer)}`))
    expect([status, code]).toEqual([404, 'BLOB_UNKNOWN'])
    expect(registry.objects.has(blobKey(sha256(layer) as Digest))).toBe(false)
    expect([...registry.objects.keys()].filter((key) => key.startsWith('mirrorball/uploads/'))).toEqual([])
  })

  test.each([
    ['no directory', 'just a text'],
    ['an empty directory', {}],
    ['a directory of something else', { 'readme.txt': 'hello' }],
    ['one whose link is no digest', { _manifests: { tags: { latest: { current: { link: 'nothing' } } } } }],
    ['one whose manifest is no manifest', { ...link, 'disco.json': disco({ [manifest]: 'no manifest' }) }],
    [
      'an index of two images',
      { 'index.json': JSON.stringify({ manifests: [{ digest: sha256('a') }, { digest: sha256('b') }] }) },
    ],
  ])('that is %s is refused with the reason', async (_, content) => {
    const made = typeof content === 'string' ? await handmade({ text: content }) : await handmade(content)
    made.files.set(smallCid('no manifest'), new TextEncoder().encode('no manifest'))
    const registry = createRegistry({ sources: [sourceOfFiles(made.files)] })
    const answer = await get(registry, `${made.root}/manifests/latest`)
    const { status, code, detail } = await ociError(answer)
    expect([status, code]).toEqual([404, 'MANIFEST_UNKNOWN'])
    expect(detail).toContain(made.root)
    expect([...registry.objects.keys()].filter((key) => !key.startsWith('mirrorball/leaves/'))).toEqual([])
  })

  test('of more bytes than the limit is refused before a blob of it is asked for', async () => {
    const other = createRegistry()
    const image = await pushTo(other.origin, 'some/image', [layer])
    const asked: string[] = []
    const sources = [sourceOf(other.blocks, (cid) => void asked.push(cid))]
    const registry = createRegistry({ sources, limits: { imageBytes: 1000 } })
    const { detail } = await ociError(await get(registry, `${image.root}/manifests/latest`))
    expect([detail.includes('1000 is the limit'), asked.includes(smallCid(layer))]).toEqual([true, false])
  })
})

describe('an image that was fetched', () => {
  test('needs no blob for a HEAD, and each of its blocks is asked for once by several pulls at once', async () => {
    const other = createRegistry()
    const large = Buffer.from(randomBytes('large', 3_000_000)).toString('latin1')
    const image = await pushTo(other.origin, 'some/image', [large])
    const asked: string[] = []
    const registry = createRegistry({ sources: [sourceOf(other.blocks, (cid) => void asked.push(cid))] })
    expect((await get(registry, `${image.root}/manifests/latest`, 'HEAD')).status).toBe(200)
    const before = asked.length
    const path = `${image.root}/blobs/${sha256(large)}`
    const head = await get(registry, path, 'HEAD')
    expect([head.status, head.headers.get('Content-Length')]).toEqual([200, String(Buffer.byteLength(large))])
    expect(asked.length).toBe(before)
    const texts = await Promise.all([1, 2, 3, 4].map(async () => sha256(await (await get(registry, path)).text())))
    expect(new Set(texts)).toEqual(new Set([sha256(large)]))
    const perBlock = asked
      .slice(before)
      .reduce((sum, cid) => sum.set(cid, (sum.get(cid) ?? 0) + 1), new Map<string, number>())
    expect(Math.max(...perBlock.values())).toBe(1)
  })

  test('is kept as long as somebody asks for it, at an edge that answers from what it has, and then ends', async () => {
    const clock = createFakeClock()
    const other = createRegistry()
    const image = await pushTo(other.origin, 'some/image', [layer])
    let open = true
    const sources = [sourceOf({ get: async (...ask) => (open ? other.blocks.get(...ask) : undefined) })]
    const registry = createRegistry({ sources, clock })
    const pull = async () => (await registry.edge.request(`/v2/${image.root}/manifests/latest`)).status
    const lastAsked = () => new TextDecoder().decode(registry.objects.get(fetchedKey(image.digest as Digest)))
    expect(await pull()).toBe(200)
    open = false
    for (let passed = 0; passed < 5; passed++) {
      clock.advance(13 * hour)
      expect(await pull()).toBe(200)
      // The edge tells the origin in the background.
      await expect.poll(lastAsked).toBe(new Date(clock.now()).toISOString())
    }
    clock.advance(25 * hour)
    expect(await pull()).toBe(404)
  })
})

test('what the bucket has lost comes back from IPFS, and only under names that have it', async () => {
  const other = createRegistry()
  const large = Buffer.from(randomBytes('lost', 2_000_000)).toString('latin1')
  await pushTo(other.origin, 'some/image', [large])
  const registry = createRegistry({ sources: [sourceOf(other.blocks)] })
  const image = await pushTo(registry.origin, 'my/image', [large, 'small'])
  await other.blocks.get(parseCid(image.root) as Cid, { signal: new AbortController().signal })
  await pushTo(other.origin, 'my/image', [large, 'small'])
  await other.blocks.get(parseCid(image.root) as Cid, { signal: new AbortController().signal })
  for (const text of [image.manifest, large, 'small']) registry.objects.delete(blobKey(sha256(text) as Digest))
  const pulled = await get(registry, 'my/image/manifests/latest')
  expect([pulled.status, await pulled.text()]).toEqual([200, image.manifest])
  for (const text of [large, 'small']) {
    expect((await get(registry, `not/mine/blobs/${sha256(text)}`)).status).toBe(404)
    const blob = await get(registry, `my/image/blobs/${sha256(text)}`)
    expect([blob.status, sha256(await blob.text())]).toEqual([200, sha256(text)])
    expect(registry.objects.has(blobKey(sha256(text) as Digest))).toBe(true)
  }
})

describe('what no source has', () => {
  const unknown = smallCid('unknown').replace('bafkrei', 'bafybei')

  test('is 404, and is not searched for again for a minute', async () => {
    const clock = createFakeClock()
    let searches = 0
    const nobody = sourceOf({ get: async () => undefined }, () => void searches++)
    const registry = createRegistry({ sources: [nobody], clock })
    for (let i = 0; i < 3; i++) expect((await get(registry, `${unknown}/manifests/latest`)).status).toBe(404)
    expect(searches).toBe(1)
    clock.advance(61_000)
    expect((await get(registry, `${unknown}/manifests/latest`)).status).toBe(404)
    expect(searches).toBe(2)
  })

  test('is 503 while a source does not answer, and is searched for again', async () => {
    let answers = false
    const other = createRegistry()
    const image = await pushTo(other.origin, 'some/image', [layer])
    const source = sourceOf({
      get: async (...ask) => {
        if (!answers) throw new UpstreamError('ipfs', 'broken by the test')
        return other.blocks.get(...ask)
      },
    })
    const registry = createRegistry({ sources: [source] })
    const failed = await get(registry, `${image.root}/manifests/latest`)
    expect([failed.status, failed.headers.get('Retry-After')]).toEqual([503, '5'])
    answers = true
    expect((await get(registry, `${image.root}/manifests/latest`)).status).toBe(200)
  })

  test('is searched for only so often for one client, who may follow the searches of others', async () => {
    const clock = createFakeClock()
    const found = Promise.withResolvers<undefined>()
    let searches = 0
    const slow = sourceOf({ get: () => found.promise }, () => void searches++)
    const registry = createRegistry({ sources: [slow], clock, searchLimit: createSearchLimit(2, clock) })
    const ask = (address: string, of: string) =>
      registry.origin.request(
        `/v2/${smallCid(of).replace('bafkrei', 'bafybei')}/manifests/latest`,
        {},
        { client: { address, scheme: 'http', host: 'registry.example' } },
      )
    const pending = ['first', 'second', 'second'].map((of) => ask('192.0.2.7', of))
    await eventually('both are searched for', () => searches === 2)
    const refused = await ask('192.0.2.7', 'third')
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '30'])
    expect((await ociError(refused)).code).toBe('TOOMANYREQUESTS')
    pending.push(ask('192.0.2.7', 'first'), ask('192.0.2.8', 'third'))
    await eventually('the third is searched for', () => searches === 3)
    found.resolve(undefined)
    for (const answer of pending) expect((await answer).status).toBe(404)
    // What was not found is remembered, and costs nothing.
    expect((await ask('192.0.2.7', 'third')).status).toBe(404)
    expect(searches).toBe(3)
  })

  test('is 404 without a search where nobody may ask for what was never seen here', async () => {
    let searches = 0
    const source = sourceOf({ get: async () => undefined }, () => void searches++)
    const registry = createRegistry({ sources: [source], access: { anonymous: 'push', delete: true, fetch: false } })
    expect([(await get(registry, `${unknown}/manifests/latest`)).status, searches]).toEqual([404, 0])
  })
})
