// The embedded IPFS node and Kubo fetch from each other.

import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type KuboNode, missingKubo, startKuboNode } from '../support/kubo-node.ts'
import { addressOf, publishing, startNode } from '../support/swarm-nodes.ts'
import { readUnixfsFile, rawBlock, type TestFile, unixfsFile } from '../support/unixfs-file.ts'
import type { Swarm } from '../../origin/ipfs/swarm/swarm.ts'
import type { Cid } from '../../shared/protocol/cid.ts'

const mebibyte = 1024 * 1024
const missing = missingKubo()
const { signal } = new AbortController()

describe.skipIf(missing !== undefined)(`Kubo (${missing ?? 'ipfs'})`, () => {
  let kubo: KuboNode
  let ours: Swarm
  let content: Uint8Array
  let file: TestFile

  beforeAll(async () => {
    content = randomBytes(80 * mebibyte + 5)
    file = await unixfsFile(content.subarray(0, 60 * mebibyte), mebibyte)
    const lastLeaf = await rawBlock(content.subarray(80 * mebibyte))
    kubo = await startKuboNode()
    ours = await startNode({ blocks: publishing([...file.blocks, lastLeaf]), peers: [kubo.address] })
    return async () => {
      await ours.stop()
      await kubo.stop()
    }
  })

  test('connects to us', async () => {
    expect((await kubo.run(['swarm', 'connect', addressOf(ours)])).toString()).toContain('success')
  })

  test('gets a block of ours', async () => {
    const { cid, bytes } = await rawBlock(content.subarray(80 * mebibyte))
    expect(Buffer.compare(await kubo.run(['block', 'get', cid]), bytes)).toBe(0)
  })

  test('reads a file of ours', async () => {
    expect(Buffer.compare(await kubo.run(['cat', file.root]), content.subarray(0, 60 * mebibyte))).toBe(0)
  })

  test.each([
    ['CIDs of version 1 and raw leaves', ['--cid-version=1', '--raw-leaves', '--chunker=size-1048576']],
    ['CIDs of version 0 and wrapped leaves', ['--cid-version=0', '--raw-leaves=false', '--chunker=size-262144']],
  ])('has a file that we read: %s', async (_, options) => {
    const added = randomBytes(10 * mebibyte + 7)
    const name = (await kubo.run(['add', '--quieter', ...options], added)).toString().trim()
    const root = (await kubo.run(['cid', 'format', '-v', '1', '-b', 'base32', name])).toString().trim() as Cid
    expect(Buffer.compare(await readUnixfsFile(ours.source.open(root), root, signal), added)).toBe(0)
  })

  test('says at once what it lacks', async () => {
    const { cid } = await rawBlock(randomBytes(100))
    expect(await ours.source.open(cid).block(cid, { signal })).toBeUndefined()
  })

  test('fetches many blocks of ours at once', async () => {
    const many = await unixfsFile(randomBytes(60 * mebibyte), mebibyte)
    const server = await startNode({ blocks: publishing(many.blocks) })
    try {
      await kubo.run(['swarm', 'connect', addressOf(server)])
      await kubo.run(['pin', 'add', many.root])
      const stored = (await kubo.run(['refs', '-r', '--unique', '--offline', many.root])).toString().trim().split('\n')
      expect(new Set(stored)).toEqual(new Set(many.blocks.slice(1).map(({ cid }) => cid)))
    } finally {
      await server.stop()
    }
  })
})
