// Embedded IPFS nodes exchange blocks over real connections.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeFile, rawBlock, readUnixfsFile } from '../support/ipfs/dag.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from '../support/stack.ts'
import { addressOf, newIdentity, publishing, startNode, startSilentPeer } from '../support/ipfs/swarm-nodes.ts'
import type { Swarm } from '../../origin/ipfs/swarm/swarm.ts'
import { blockLimitBytes } from '../../shared/ports/block-source.ts'
import type { Block } from '../../shared/ports/content-store.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'

const mebibyte = 1024 * 1024
const wait = { signal: new AbortController().signal }
const searchMs = 30_000
const headStartMs = 1_000
const running: { stop(): Promise<void> }[] = []

async function started<Node extends { stop(): Promise<void> }>(node: Promise<Node>): Promise<Node> {
  running.push(await node)
  return node
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.stop()))
})

const block = (swarm: Swarm, { cid }: Pick<Block, 'cid'>, signal = wait.signal) =>
  swarm.source.open(cid).block(cid, { signal })

let content: Uint8Array
let file: Awaited<ReturnType<typeof makeFile>>
let small: Block
let other: Block

beforeAll(async () => {
  content = randomBytes(12 * mebibyte + 1)
  file = await makeFile(content)
  small = await rawBlock(randomBytes(1000))
  other = await rawBlock(randomBytes(1000))
})

describe('a node with a peer', () => {
  test('reads a file that the peer publishes, all leaves at once', async () => {
    const server = await started(startNode({ blocks: publishing(file.blocks) }))
    const client = await started(startNode({ peers: server.addresses() }))
    const read = await readUnixfsFile(client.source.open(file.root), file.root, wait.signal)
    expect(Buffer.compare(read, content)).toBe(0)
  })

  test('needs not listen', async () => {
    const server = await started(startNode({ blocks: publishing([small]) }))
    const client = await started(startNode({ listen: [], peers: server.addresses() }))
    expect(client.addresses()).toEqual([])
    expect(await block(client, small)).toEqual(small.bytes)
  })

  test('takes the largest of blocks', async () => {
    const large = await rawBlock(randomBytes(blockLimitBytes))
    const server = await started(startNode({ blocks: publishing([large]) }))
    const client = await started(startNode({ peers: server.addresses() }))
    expect(Buffer.compare((await block(client, large)) ?? new Uint8Array(), large.bytes)).toBe(0)
  })

  test('is told at once what the peer lacks, and that does not count against the peer', async () => {
    const clock = createFakeClock()
    const server = await started(startNode({ blocks: publishing([small]) }))
    const client = await started(startNode({ peers: server.addresses(), clock }))
    const reader = client.source.open(other.cid)
    expect(await reader.block(other.cid, wait)).toBeUndefined()
    expect(await reader.block(small.cid, wait)).toEqual(small.bytes)
    expect(await reader.block(other.cid, wait)).toBeUndefined()
  })

  test('does not take other bytes for a block', async () => {
    const clock = createFakeClock()
    const askedFor = Promise.withResolvers<void>()
    const liar = await started(
      startNode({
        blocks: {
          get: (cid) => {
            if (cid === other.cid) askedFor.resolve()
            return Promise.resolve(cid === other.cid ? Uint8Array.of(1) : small.bytes)
          },
        },
      }),
    )
    const client = await started(startNode({ peers: liar.addresses(), clock, searchMs }))
    const wrong = expect(block(client, other)).rejects.toThrow(UpstreamError)
    await askedFor.promise
    // Answers to one peer keep their order: when this one is here, the wrong one was.
    expect(await block(client, small)).toEqual(small.bytes)
    clock.advance(searchMs)
    await wrong
  })

  test('gives up on a peer that does not answer in time', async () => {
    const clock = createFakeClock()
    const silent = await started(startSilentPeer())
    const client = await started(startNode({ peers: [silent.address], clock, searchMs }))
    const found = block(client, small)
    await silent.asked
    clock.advance(searchMs - 1)
    expect(await Promise.race([found, Promise.resolve('waiting')])).toBe('waiting')
    clock.advance(1)
    await expect(found).rejects.toThrow(`did not answer within ${searchMs} ms`)
  })

  test('gives up on a peer that leaves while it is asked', async () => {
    const silent = await started(startSilentPeer())
    const client = await started(startNode({ peers: [silent.address], clock: createFakeClock() }))
    const found = expect(block(client, small)).rejects.toThrow(/^ipfs: the connection to peer .* was lost$/)
    await silent.asked
    await silent.stop()
    await found
  })

  test('gives up when its caller does', async () => {
    const silent = await started(startSilentPeer())
    const client = await started(startNode({ peers: [silent.address] }))
    const caller = new AbortController()
    const found = expect(block(client, small, caller.signal)).rejects.toBe('enough')
    await silent.asked
    caller.abort('enough')
    await found
    await expect(block(client, small, caller.signal)).rejects.toBe('enough')
  })
})

describe('a node with two peers', () => {
  test('asks the second what the first lacks', async () => {
    const log = createRecordingLog()
    const first = await started(startNode({ blocks: publishing([small]) }))
    const second = await started(startNode({ blocks: publishing([other]) }))
    const peers = [addressOf(first), addressOf(second)]
    const client = await started(startNode({ peers, log, clock: createFakeClock() }))
    await eventually('both are connected', () => log.lines.length === 2)
    expect(await block(client, small)).toEqual(small.bytes)
    expect(await block(client, other)).toEqual(other.bytes)
    expect(await block(client, small)).toEqual(small.bytes)
    expect(await block(client, await rawBlock(randomBytes(10)))).toBeUndefined()
  })

  test('asks the second when the first takes long', async () => {
    const clock = createFakeClock()
    const log = createRecordingLog()
    const silent = await started(startSilentPeer())
    const server = await started(startNode({ blocks: publishing([small]) }))
    const client = await started(startNode({ peers: [silent.address, addressOf(server)], clock, log }))
    await eventually('both are connected', () => log.lines.length === 2)
    const found = block(client, small)
    await silent.asked
    clock.advance(headStartMs)
    expect(await found).toEqual(small.bytes)
    // From now on the one that answered is asked first.
    expect(await block(client, small)).toEqual(small.bytes)
  })

  test('says that it does not know where one says no and the other nothing', async () => {
    const clock = createFakeClock()
    const log = createRecordingLog()
    const silent = await started(startSilentPeer())
    const server = await started(startNode())
    const client = await started(startNode({ peers: [addressOf(server), silent.address], clock, log, searchMs }))
    await eventually('both are connected', () => log.lines.length === 2)
    const found = expect(block(client, small)).rejects.toThrow(UpstreamError)
    await silent.asked
    clock.advance(searchMs)
    await found
  })
})

describe('a peer that is down', () => {
  test('is no answer, and does not keep the node from starting', async () => {
    const gone = await startNode()
    const peers = gone.addresses()
    await gone.stop()
    const client = await started(startNode({ peers, clock: createFakeClock() }))
    await expect(block(client, small)).rejects.toThrow(UpstreamError)
  })

  test('is dialled again after growing pauses, with one line in the log', async () => {
    const clock = createFakeClock()
    const log = createRecordingLog()
    const gone = await startNode()
    const peers = gone.addresses()
    await gone.stop()
    await started(startNode({ peers, clock, log }))
    for (const pauseSeconds of [5, 10, 20, 40, 80, 160, 300, 300]) {
      await clock.untilArmed()
      clock.advance(pauseSeconds * 1000 - 1)
      expect(clock.pending).toBe(1)
      clock.advance(1)
      expect(clock.pending).toBe(0)
    }
    await clock.untilArmed()
    expect(log.lines.map(({ level }) => level)).toEqual(['warn'])
  })

  test('is connected again when it comes back, where it was and with its own key', async () => {
    const clock = createFakeClock()
    const log = createRecordingLog()
    const identity = newIdentity()
    const blocks = publishing([small])
    const first = await startNode({ identity, blocks })
    const address = addressOf(first)
    const client = await started(startNode({ peers: [address], clock, log }))
    expect(await block(client, small)).toEqual(small.bytes)

    await first.stop()
    await clock.untilArmed()
    await expect(block(client, small)).rejects.toThrow(UpstreamError)

    const again = await started(startNode({ identity, blocks, listen: [address.replace(/\/p2p\/.*/, '')] }))
    expect(again.addresses()).toEqual([address])
    clock.advance(5_000)
    expect(await block(client, small)).toEqual(small.bytes)
    const peer = address.split('/').at(-1)
    expect(log.lines.map(({ message, fields }) => [message, fields])).toEqual([
      ['IPFS peer connected', { peer }],
      ['IPFS peer lost', { peer }],
      ['IPFS peer connected', { peer }],
    ])
  })

  test('that comes back with another key is not the peer', async () => {
    const first = await startNode()
    const address = addressOf(first)
    await first.stop()
    await started(startNode({ blocks: publishing([small]), listen: [address.replace(/\/p2p\/.*/, '')] }))
    const client = await started(startNode({ peers: [address], clock: createFakeClock() }))
    await expect(block(client, small)).rejects.toThrow(UpstreamError)
  })
})

describe('a stranger', () => {
  test('may fetch what is published, and nothing that our peers have or that we fetched of them', async () => {
    const peer = await started(startNode({ blocks: publishing([other]) }))
    const ours = await started(startNode({ blocks: publishing([small]), peers: peer.addresses() }))
    const stranger = await started(startNode({ peers: ours.addresses() }))
    expect(await block(stranger, small)).toEqual(small.bytes)
    expect(await block(stranger, other)).toBeUndefined()
    expect(await block(ours, other)).toEqual(other.bytes)
    expect(await block(stranger, other)).toBeUndefined()
  })

  test('is not asked for anything', async () => {
    const ours = await started(startNode())
    const stranger = await started(startNode({ blocks: publishing([other]), peers: ours.addresses() }))
    expect(await block(stranger, small)).toBeUndefined()
    expect(await block(ours, other)).toBeUndefined()
  })
})

describe('what is configured', () => {
  test('without peers, no block is found', async () => {
    expect(await block(await started(startNode()), small)).toBeUndefined()
  })

  test('a key makes a peer id', async () => {
    const identity = newIdentity()
    const ids = []
    for (const key of [identity, identity, newIdentity()]) {
      const node = await startNode({ identity: key })
      ids.push(addressOf(node).split('/').at(-1))
      await node.stop()
    }
    expect(ids[0]).toMatch(/^12D3KooW/)
    expect(ids[1]).toBe(ids[0])
    expect(ids[2]).not.toBe(ids[0])
  })

  test.each([['/ip4/127.0.0.1/tcp/4001'], ['127.0.0.1:4001'], ['/ip4/127.0.0.1/tcp/4001/p2p/nobody']])(
    'the peer %s is refused',
    async (peer) => {
      await expect(startNode({ peers: [peer] })).rejects.toThrow(Error)
    },
  )

  test('a port that is taken is refused', async () => {
    const first = await started(startNode())
    await expect(startNode({ listen: [addressOf(first).replace(/\/p2p\/.*/, '')] })).rejects.toThrow(Error)
  })
})
