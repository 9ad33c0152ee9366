// What Kubo made, in every layout that it has, read through Kubo's own trustless gateway.

import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CID } from 'multiformats/cid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/process/system-ports.ts'
import { NotFoundOnIpfs } from '../../shared/ipfs/content-errors.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import { cidText } from '../../shared/ipfs/cid.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import { sha256Hex, someBytes } from '../support/dag.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually, temporaryFolder } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }
const environment = {
  ...process.env,
  PATH: `${process.env['PATH']}:${process.env['HOME']}/go/bin`,
  IPFS_TELEMETRY: 'off',
}
/** The program's name. */
const kubo = 'ipfs'
const installed = await promisify(execFile)(kubo, ['version'], { env: environment }).then(
  () => true,
  () => false,
)

describe.skipIf(!installed)('Kubo (ipfs on PATH)', () => {
  let folder: { path: string; remove: () => Promise<void> }
  let url: URL
  let stop: () => Promise<void>

  async function ipfs(...args: readonly string[]): Promise<string> {
    const env = { ...environment, IPFS_PATH: join(folder.path, 'repository') }
    return (await promisify(execFile)(kubo, args, { env })).stdout.trim()
  }

  beforeAll(async () => {
    folder = await temporaryFolder()
    await ipfs('init', '--profile', 'test')
    await ipfs('config', '--json', 'Addresses.Swarm', '[]')
    await ipfs('config', 'Routing.Type', 'none')
    await ipfs('config', 'Import.UnixFSHAMTDirectorySizeThreshold', '1KiB')
    const env = { ...environment, IPFS_PATH: join(folder.path, 'repository') }
    const daemon = spawn(kubo, ['daemon', '--offline'], { env, stdio: 'ignore' })
    stop = async () => {
      const ended = new Promise((done) => daemon.once('close', done))
      daemon.kill('SIGTERM')
      await ended
      await folder.remove()
    }
    let address = ''
    await eventually('the gateway listens', async () => {
      address = await readFile(join(folder.path, 'repository', 'gateway'), 'utf8').catch(() => '')
      return address !== ''
    })
    url = new URL(address.trim())
  })

  afterAll(() => stop())

  /** A reader of that gateway, and what it asks it for. */
  function readerOf() {
    const formats: (string | null)[] = []
    const counting: Fetch = (target, init) => {
      formats.push(target.searchParams.get('format'))
      return fetch(target, init)
    }
    const source = createGatewaySource({
      url,
      fetch: counting,
      clock: systemClock,
      firstByteMs: 10_000,
      idleMs: 10_000,
    })
    const log = createRecordingLog()
    return { reader: createVerifiedReader({ sources: [source], clock: systemClock, log }), formats, log }
  }

  async function add(name: string, content: Uint8Array, ...options: readonly string[]) {
    const file = join(folder.path, name)
    await writeFile(file, content)
    return cidText(CID.parse(await ipfs('add', '-Q', ...options, file)))
  }

  test.each([
    ['CIDv0, as it is by default', []],
    ['the profile of this registry', ['--cid-version=1', '--chunker=size-1048576', '--max-file-links=1024']],
    ['trickle', ['--trickle']],
    ['trickle with raw leaves', ['--trickle', '--raw-leaves', '--max-file-links=4']],
    ['chunks cut by content, in dag-pb leaves', ['--chunker=buzhash', '--raw-leaves=false']],
    ['many levels', ['--chunker=size-65536', '--max-file-links=4', '--cid-version=1']],
    ['sha2-512', ['--hash=sha2-512', '--cid-version=1']],
  ])('%s: one block, one CAR, and the file is right', async (name, options) => {
    const content = someBytes(12_345_678)
    const cid = await add(name.replaceAll(/\W/g, '-'), content, ...options)
    const { reader, formats, log } = readerOf()
    const { sizeBytes, body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(sizeBytes).toBe(content.byteLength)
    expect(sha256Hex(Buffer.concat(chunks))).toBe(sha256Hex(content))
    expect(formats).toEqual(['raw', 'car'])
    expect(log.lines).toEqual([])
  })

  test('a file of equal blocks, which Kubo sends as often as they occur', async () => {
    const content = Buffer.concat([new Uint8Array(8_000_000), someBytes(3_000_000), new Uint8Array(8_000_000)])
    const cid = await add('zeros', content)
    const { reader, formats } = readerOf()
    const dag = reader.open(cid, wait)
    expect(sha256Hex((await dag.smallFile(cid, [], content.byteLength, wait)) ?? new Uint8Array(0))).toBe(
      sha256Hex(content),
    )
    expect(formats.filter((format) => format === 'car')).toHaveLength(1)
    expect(formats.length).toBeLessThan(8)
    dag.close()
  })

  test('a directory that Kubo sharded: its names, and files in it', async () => {
    const names = Array.from({ length: 400 }, (_, at) => `name-${at}`)
    const directory = join(folder.path, 'many')
    await mkdir(directory)
    for (const [at, name] of names.entries()) await writeFile(join(directory, name), someBytes(30, at + 1))
    const cid = cidText(CID.parse(await ipfs('add', '-Qr', directory)))
    const { reader, formats } = readerOf()
    const dag = reader.open(cid, wait)
    expect((await dag.list(cid, [], wait))?.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    expect(formats.length).toBeGreaterThan(10)
    expect(await dag.smallFile(cid, ['name-399'], 30, wait)).toEqual(someBytes(30, 400))
    expect(await dag.smallFile(cid, ['name-400'], 30, wait)).toBeUndefined()
    dag.close()
  })

  test('what it does not have is a no', async () => {
    const cid = cidText(CID.parse(await ipfs('add', '-Q', '--only-hash', join(folder.path, 'repository', 'config'))))
    const { reader } = readerOf()
    await expect(reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)).rejects.toBeInstanceOf(NotFoundOnIpfs)
  })
})
