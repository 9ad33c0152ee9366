// Roots in the form of Forta's Disco whose disco.json or blobs/ name wrong content. Disco stores what they name under the
// digest; here it must be refused, and found where another place in the root is right.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingClients } from '../support/clients/programs.ts'
import { manifestText, ociError } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { blobPathOf } from '../support/bucket/purge.ts'
import { filesIn } from '../support/registry-content.ts'
import { startStack, type Stack } from '../support/stack.ts'

const missing = missingClients('ipfs')

type Bytes = Uint8Array<ArrayBuffer>

interface Content {
  readonly manifest: Bytes
  readonly config: Bytes
  readonly layer: Bytes
}

/** What a place in the root has instead of the right content; `undefined` where it has nothing. */
type Place = Readonly<Partial<Record<keyof Content, Bytes | undefined>>>

const bytesOf = (text: string) => new TextEncoder().encode(text)

function contentOf(seed: string): Content {
  const layer = randomBytes(seed, 3_000_000)
  const config = JSON.stringify({ seed })
  const manifest = JSON.stringify({
    ...(JSON.parse(manifestText(config, [])) as object),
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: layer.byteLength }],
  })
  return { manifest: bytesOf(manifest), config: bytesOf(config), layer }
}

describe.skipIf(missing !== undefined)(`a root in Disco's form (${missing ?? 'real'})`, () => {
  let kubo: Kubo
  let stack: Stack

  beforeAll(async () => {
    kubo = await startKubo()
    stack = await startStack('node', undefined, { 'ipfs-kubo-url': kubo.url, 'ipfs-fetch-timeout-ms': '6000' })
  })

  afterAll(async () => {
    await stack.stop()
    await kubo.stop()
  })

  /** Puts the root of an image into Kubo. @param blobs absent: the root has no such folder, as Disco's have none */
  async function rootOf(content: Content, { disco = {}, blobs }: { disco?: Place; blobs?: Place }): Promise<string> {
    const parts = ['manifest', 'config', 'layer'] as const
    const hexOf = (part: keyof Content) => sha256(content[part]).slice('sha256:'.length)
    const listed = []
    for (const part of parts) {
      const named = part in disco ? disco[part] : content[part]
      if (named !== undefined) listed.push({ digest: hexOf(part), cid: String((await kubo.rpc.add(named)).cid) })
    }
    const link = (part: keyof Content) => bytesOf(sha256(content[part]))
    const files: Record<string, Bytes> = {
      'disco.json': bytesOf(`${JSON.stringify({ blobs: listed })}\n`),
      '_manifests/tags/latest/current/link': link('manifest'),
      [`_manifests/revisions/sha256/${hexOf('manifest')}/link`]: link('manifest'),
      [`_layers/sha256/${hexOf('layer')}/link`]: link('layer'),
    }
    for (const part of blobs === undefined ? [] : parts) {
      const named = part in (blobs ?? {}) ? blobs?.[part] : content[part]
      if (named !== undefined) files[`blobs/sha256/${hexOf(part)}`] = named
    }
    let root = ''
    const source = Object.entries(files).map(([path, bytes]) => ({ path, content: bytes }))
    for await (const { cid } of kubo.rpc.addAll(source, { wrapWithDirectory: true, cidVersion: 1 })) root = String(cid)
    return root
  }

  const urlOf = (root: string, kind: 'blobs' | 'manifests', content: Bytes) =>
    `${stack.edgeUrl}/v2/${root}/${kind}/${sha256(content)}`

  async function expectWhole(root: string, { manifest, config, layer }: Content): Promise<void> {
    for (const [kind, content] of [
      ['manifests', manifest],
      ['blobs', config],
      ['blobs', layer],
    ] as const) {
      const answer = await fetch(urlOf(root, kind, content))
      const bytes = new Uint8Array(await answer.arrayBuffer())
      if (answer.status !== 200)
        throw new Error(`${kind} was answered ${answer.status}: ${new TextDecoder().decode(bytes)}`)
      expect(sha256(bytes)).toBe(sha256(content))
    }
  }

  /** That the bucket has nothing under a digest. */
  async function expectUnpublished(content: Bytes): Promise<void> {
    const files = Object.keys(await filesIn(join(stack.dataFolder, 'bucket')))
    expect(files).not.toContain(blobPathOf(sha256(content)))
    expect(files.filter((file) => file.startsWith('mirrorball/uploads/'))).toEqual([])
  }

  test('that tells the truth is pulled', async () => {
    const content = contentOf('truth')
    await expectWhole(await rootOf(content, {}), content)
  })

  test.each([
    ['other bytes of the same length', randomBytes('other', 3_000_000)],
    ['fewer bytes', randomBytes('fewer', 2_000_000)],
    ['more bytes', randomBytes('more', 3_000_001)],
  ])('whose disco.json names %s for a layer breaks off its pull, then refuses it', async (what, wrong) => {
    const content = contentOf(`layer, ${what}`)
    const root = await rootOf(content, { disco: { layer: wrong } })
    const url = urlOf(root, 'blobs', content.layer)
    const first = await fetch(url)
    if (first.status === 200) await expect(first.arrayBuffer()).rejects.toThrow()
    else expect((await ociError(first)).status).toBe(404)
    const { status, code, detail } = await ociError(await fetch(url))
    expect([status, code, detail]).toEqual([404, 'BLOB_UNKNOWN', expect.stringContaining('cannot be taken from IPFS')])
    await expectUnpublished(content.layer)
    const [{ msg } = {}] = stack.log('origin').filter(({ digest, cid }) => digest === sha256(content.layer) && cid)
    expect(msg).toBe('content of IPFS is not what it was said to be')
  })

  test.each([
    ['a few wrong bytes', bytesOf('something else')],
    ['no bytes', new Uint8Array()],
    ['nothing', undefined],
  ])('whose disco.json names %s for a layer is refused before a byte is sent', async (what, wrong) => {
    const content = contentOf(`small, ${what}`)
    const root = await rootOf(content, { disco: { layer: wrong } })
    const { status, code } = await ociError(await fetch(urlOf(root, 'blobs', content.layer)))
    expect([status, code]).toEqual([404, 'BLOB_UNKNOWN'])
    await expectUnpublished(content.layer)
  })

  test('whose disco.json mixes up a small blob is pulled all the same where Kubo has it by its digest', async () => {
    const content = contentOf('mixed up')
    const root = await rootOf(content, { disco: { config: content.layer } })
    await kubo.rpc.add(content.config, { cidVersion: 1 })
    await expectWhole(root, content)
  })

  test.each([
    ['another manifest', bytesOf(manifestText('{}', ['another']))],
    ['no manifest', bytesOf('{"schemaVersion":2}')],
    ['nothing', undefined],
  ])('whose disco.json has %s in place of its manifest is no image', async (what, wrong) => {
    const content = contentOf(`manifest, ${what}`)
    const root = await rootOf(content, { disco: { manifest: wrong } })
    for (const reference of ['latest', sha256(content.manifest)]) {
      const answer = await fetch(`${stack.edgeUrl}/v2/${root}/manifests/${reference}`)
      expect(await ociError(answer)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
    }
    await expectUnpublished(content.manifest)
    expect(Object.keys(await filesIn(join(stack.dataFolder, 'bucket')))).not.toContain(`mirrorball/cids/${root}`)
  })

  test('whose disco.json lies about all is pulled where its blobs/ tells the truth', async () => {
    const content = contentOf('blobs are right')
    const lie = bytesOf('a lie')
    const root = await rootOf(content, { disco: { manifest: lie, config: lie, layer: lie }, blobs: {} })
    await expectWhole(root, content)
  })

  test('whose blobs/ lies is pulled where its disco.json tells the truth', async () => {
    const content = contentOf('disco.json is right')
    const lie = bytesOf('a lie')
    const root = await rootOf(content, { blobs: { manifest: lie, config: lie, layer: lie } })
    await expectWhole(root, content)
  })

  test('whose blobs/ has other bytes of the same length breaks off one pull, and no second', async () => {
    const content = contentOf('the second place is right')
    const root = await rootOf(content, { blobs: { layer: randomBytes('the same length', 3_000_000) } })
    const first = await fetch(urlOf(root, 'blobs', content.layer))
    await expect(first.arrayBuffer()).rejects.toThrow()
    await expectUnpublished(content.layer)
    await expectWhole(root, content)
  })
})
