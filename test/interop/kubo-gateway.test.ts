// What Kubo made, in every layout that it has, read through Kubo's own trustless gateway.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { cidText } from '../../shared/ipfs/cid.ts'
import { NotFoundOnIpfs } from '../../shared/ipfs/content-errors.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { describeWith } from '../support/clients/programs.ts'
import { collect, rawBlock } from '../support/ipfs/dag.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { createRecordingLog } from '../support/recording-log.ts'

const wait = { signal: new AbortController().signal }

describeWith(['ipfs'], "Kubo's gateway", () => {
  let kubo: Kubo

  beforeAll(async () => {
    // Of blocks that it does not have it says so, and looks for them nowhere.
    const config = { 'Gateway.NoFetch': true, 'Import.UnixFSHAMTDirectorySizeThreshold': '1KiB' }
    kubo = await startKubo({ gateway: true, config })
  })

  afterAll(() => kubo.stop())

  /** A reader of that gateway, and what it asks it for. */
  function readerOf() {
    const formats: (string | null)[] = []
    const counting: Fetch = (target, init) => {
      formats.push(target.searchParams.get('format'))
      return fetch(target, init)
    }
    if (kubo.gateway === undefined) throw new Error('it has no gateway')
    const source = createGatewaySource({
      url: kubo.gateway,
      fetch: counting,
      clock: systemClock,
      firstByteMs: 10_000,
      idleMs: 10_000,
    })
    const log = createRecordingLog()
    return { reader: createVerifiedReader({ sources: [source], clock: systemClock, log }), formats, log }
  }

  async function add(content: Uint8Array, options: object = {}): Promise<Cid> {
    return cidText((await kubo.rpc.add(content, options)).cid)
  }

  test.each([
    ['CIDv0, as it is by default', {}],
    ['the profile of this registry', { cidVersion: 1, chunker: 'size-1048576', maxFileLinks: 1024 }],
    ['trickle', { trickle: true }],
    ['trickle with raw leaves', { trickle: true, rawLeaves: true, maxFileLinks: 4 }],
    ['chunks cut by content, in dag-pb leaves', { chunker: 'buzhash', rawLeaves: false }],
    ['many levels', { chunker: 'size-65536', maxFileLinks: 4, cidVersion: 1 }],
    ['sha2-512', { hashAlg: 'sha2-512', cidVersion: 1 }],
  ])('%s: one block, one CAR, and the file is right', async (_, options) => {
    const content = randomBytes('in all layouts', 12_345_678)
    const cid = await add(content, options)
    const { reader, formats, log } = readerOf()
    const { sizeBytes, body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(sizeBytes).toBe(content.byteLength)
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(content))
    expect(formats).toEqual(['raw', 'car'])
    expect(log.lines).toEqual([])
  })

  test('a file of equal blocks, which Kubo sends as often as they occur', async () => {
    const content = Buffer.concat([
      new Uint8Array(8_000_000),
      randomBytes('between zeros', 3_000_000),
      new Uint8Array(8_000_000),
    ])
    const cid = await add(content)
    const { reader, formats } = readerOf()
    const dag = reader.open(cid, wait)
    expect(sha256((await dag.smallFile(cid, [], content.byteLength, wait)) ?? new Uint8Array(0))).toBe(sha256(content))
    expect(formats.filter((format) => format === 'car')).toHaveLength(1)
    expect(formats.length).toBeLessThan(8)
    dag.close()
  })

  test('a directory that Kubo sharded: its names, and files in it', async () => {
    const names = Array.from({ length: 400 }, (_, at) => `name-${at}`)
    const files = names.map((name) => ({ path: name, content: randomBytes(name, 30) }))
    const added = await collect(kubo.rpc.addAll(files, { wrapWithDirectory: true }))
    const directory = added.find(({ path }) => path === '')
    if (directory === undefined) throw new Error('it made no directory')
    const cid = cidText(directory.cid)
    const { reader, formats } = readerOf()
    const dag = reader.open(cid, wait)
    expect((await dag.list(cid, [], wait))?.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    expect(formats.length).toBeGreaterThan(10)
    expect(await dag.smallFile(cid, ['name-399'], 30, wait)).toEqual(randomBytes('name-399', 30))
    expect(await dag.smallFile(cid, ['name-400'], 30, wait)).toBeUndefined()
    dag.close()
  })

  test('what it does not have is a no', async () => {
    const { cid } = await rawBlock(randomBytes('of nobody', 100))
    const { reader } = readerOf()
    await expect(reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)).rejects.toBeInstanceOf(NotFoundOnIpfs)
  })
})
