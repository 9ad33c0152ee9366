// The embedded IPFS node and Kubo fetch from each other.

import { beforeAll, expect, test } from 'vitest'
import { describeWith } from '../support/clients/programs.ts'
import { collect, makeFile, rawBlock, readUnixfsFile } from '../support/ipfs/dag.ts'
import { randomBytes } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { addressOf, publishing, startNode } from '../support/ipfs/swarm-nodes.ts'
import type { Swarm } from '../../origin/ipfs/swarm/swarm.ts'
import { cidText, decodeCid } from '../../shared/ipfs/cid.ts'
import type { Block } from '../../shared/ports/content-store.ts'

const mebibyte = 1024 * 1024
const { signal } = new AbortController()

describeWith(['ipfs'], 'the embedded node and Kubo', () => {
  let kubo: Kubo
  let ours: Swarm
  let file: Awaited<ReturnType<typeof makeFile>>
  let single: Block
  const content = randomBytes('a file of ours', 60 * mebibyte)

  beforeAll(async () => {
    file = await makeFile(content)
    single = await rawBlock(randomBytes('a block of ours', 5))
    kubo = await startKubo({ swarm: true })
    ours = await startNode({ blocks: publishing([...file.blocks, single]), peers: [kubo.address ?? ''] })
    return async () => {
      await ours.stop()
      await kubo.stop()
    }
  })

  const connect = (node: Swarm) => kubo.connect({ address: addressOf(node) })

  test('Kubo connects to us', async () => {
    await connect(ours)
    const peers = await kubo.rpc.swarm.peers()
    expect(peers.map(({ peer }) => String(peer))).toContain(addressOf(ours).split('/').at(-1))
  })

  test('Kubo gets a block of ours', async () => {
    await connect(ours)
    expect(await kubo.rpc.block.get(decodeCid(single.cid))).toEqual(single.bytes)
  })

  test('Kubo reads a file of ours', async () => {
    await connect(ours)
    expect(Buffer.compare(Buffer.concat(await collect(kubo.rpc.cat(file.root))), content)).toBe(0)
  })

  test.each([
    ['CIDs of version 1 and raw leaves', { cidVersion: 1, rawLeaves: true, chunker: 'size-1048576' }],
    ['CIDs of version 0 and wrapped leaves', { cidVersion: 0, rawLeaves: false, chunker: 'size-262144' }],
  ] as const)('we read a file of Kubo: %s', async (name, options) => {
    const added = randomBytes(name, 10 * mebibyte + 7)
    const root = cidText((await kubo.rpc.add(added, options)).cid)
    expect(Buffer.compare(await readUnixfsFile(ours.source.open(root), root, signal), added)).toBe(0)
  })

  test('Kubo says at once what it lacks', async () => {
    const { cid } = await rawBlock(randomBytes('a block of nobody', 100))
    expect(await ours.source.open(cid).block(cid, { signal })).toBeUndefined()
  })

  test('Kubo fetches many blocks of ours at once', async () => {
    const many = await makeFile(randomBytes('another file', 60 * mebibyte))
    const server = await startNode({ blocks: publishing(many.blocks) })
    try {
      await connect(server)
      await kubo.rpc.pin.add(many.root)
      for (const { cid } of many.blocks) expect(await kubo.localBlock(cid)).toBeDefined()
    } finally {
      await server.stop()
    }
  })
})
