// `publish`, and what an origin with Kubo does when it starts: IPFS follows the bucket and the access rules.

import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeWith } from '../support/clients/programs.ts'
import { startDistribution } from '../support/other-registries/distribution.ts'
import { pushImage } from '../support/http-client.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { pushContent } from '../support/registry-content.ts'
import { anyPorts, eventually, startPart, temporaryFolder } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

let data: Awaited<ReturnType<typeof temporaryFolder>>

beforeEach(async () => {
  data = await temporaryFolder()
  return () => data.remove()
})

/** What a registry that wrote this folder meanwhile took. */
async function pushed<Result>(
  options: Record<string, string>,
  push: (base: string) => Promise<Result>,
): Promise<Result> {
  const origin = await startPart('origin', { 'data-dir': data.path, ...anyPorts, ...options })
  try {
    return await push(origin.url)
  } finally {
    await origin.stop()
  }
}

const off = { 'ipfs-backend': 'off' }
const pathOf = (base: string, name: string, reference: string) =>
  fetch(`${base}/v2/${name}/manifests/${reference}`).then((answer) => answer.headers.get('X-Ipfs-Path'))

test('images that were pushed with IPFS off get their CIDs, once', async () => {
  await pushed(off, (base) => pushImage(base, 'some/name', 'v1', 'pushed with IPFS off'))
  await pushed(off, (base) => pushImage(base, 'other', 'v1', 'pushed with IPFS off, too'))
  const publish = (...args: readonly string[]) => linesOf(runVerb(data.path, 'publish', ...args))
  expect(await publish('some/name')).toEqual([
    '1 manifests in 1 repositories, 1 published, 0 taken off IPFS, 0 without a CID',
  ])
  expect(await publish()).toEqual(['2 manifests in 2 repositories, 1 published, 0 taken off IPFS, 0 without a CID'])
  expect(await publish()).toEqual(['2 manifests in 2 repositories, 0 published, 0 taken off IPFS, 0 without a CID'])
  await pushed({}, async (base) => {
    const path = await pathOf(base, 'some/name', 'v1')
    expect(path).toMatch(/^\/ipfs\/bafybei/)
    expect((await fetch(`${base}/v2/${path?.split('/').at(-1)}/manifests/latest`)).status).toBe(200)
  })
})

test.each([
  ['a repository that is not there', ['no/such'], /there is no repository no\/such/],
  ['no name of one', ['some/name:v1'], /is no name of a repository/],
  ['IPFS that is off', ['--ipfs-backend', 'off'], /ipfs.backend is off/],
  ['Kubo without its address', ['--ipfs-backend', 'kubo'], /ipfs.kubo_url: must be set/],
  ['Kubo that is not there', ['--ipfs-backend', 'kubo', '--ipfs-kubo-url', 'http://127.0.0.1:9'], /pin\/ls/],
])('%s is refused', async (_, args, reason) => {
  await pushed(off, (base) => pushImage(base, 'some/name', 'v1', 'x'))
  const { code, stderr } = await runVerb(data.path, 'publish', ...args)
  expect([code, stderr]).toEqual([1, expect.stringMatching(reason)])
})

describeWith(['registry'], 'a bucket that Distribution wrote', () => {
  test('gets CIDs for all it has', async () => {
    const distribution = await startDistribution(join(data.path, 'bucket'))
    const content = await pushContent(distribution.url)
    await distribution.stop()
    const [line] = await linesOf(runVerb(data.path, 'publish'))
    expect(line).toBe('4 manifests in 2 repositories, 4 published, 0 taken off IPFS, 0 without a CID')
    await pushed({}, async (base) => {
      for (const { name, tags } of content)
        for (const tag of Object.keys(tags)) expect(await pathOf(base, name, tag)).toMatch(/^\/ipfs\/bafybei/)
    })
  })
})

describeWith(['ipfs'], 'with Kubo', () => {
  let kubo: Kubo

  beforeAll(async () => {
    kubo = await startKubo()
  })

  afterAll(() => kubo.stop())

  const withKubo = () => ({ 'ipfs-backend': 'kubo', 'ipfs-kubo-url': kubo.url })
  const asArgs = (options: Record<string, string>) =>
    Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])

  const isPinned = async (root: string) => {
    for await (const { cid, name } of kubo.rpc.pin.ls({ type: 'recursive', names: true }))
      if (String(cid) === root) return name === 'mirrorball'
    return false
  }

  const publish = (...args: readonly string[]) => linesOf(runVerb(data.path, 'publish', ...asArgs(withKubo()), ...args))
  const cidOf = async (name: string) => (await linesOf(runVerb(data.path, 'cid', name)))[0] ?? ''

  test('what is closed is unpinned, and what is opened is pinned, again and again', async () => {
    await pushed(off, async (base) => {
      await pushImage(base, 'team/a', 'v1', 'only in the team')
      for (const name of ['team/b', 'shared']) await pushImage(base, name, 'v1', 'also shared')
    })
    expect(await publish()).toEqual(['3 manifests in 3 repositories, 3 published, 0 taken off IPFS, 0 without a CID'])
    const [own, shared] = [await cidOf('team/a:v1'), await cidOf('team/b:v1')]
    expect([await isPinned(own), await isPinned(shared)]).toEqual([true, true])
    expect(await publish()).toEqual(['3 manifests in 3 repositories, 0 published, 0 taken off IPFS, 0 without a CID'])
    const closed = ['--access-private', 'team/**']
    expect(await publish('team/b', ...closed)).toEqual([expect.stringContaining('0 published, 0 taken off IPFS')])
    expect(await publish('team/a', ...closed)).toEqual([expect.stringContaining('0 published, 1 taken off IPFS')])
    expect([await isPinned(own), await isPinned(shared)]).toEqual([false, true])
    expect(await publish('--access-private', 'team/**,shared')).toEqual([expect.stringContaining('1 taken off IPFS')])
    expect([await isPinned(own), await isPinned(shared)]).toEqual([false, false])
    expect(await publish()).toEqual([expect.stringContaining('published, 0 taken off IPFS')])
    expect([await isPinned(own), await isPinned(shared)]).toEqual([true, true])
  })

  test('the origin does the same when it starts, beside its pushes', async () => {
    await pushed(off, (base) => pushImage(base, 'team/image', 'v1', 'for the origin to find'))
    const root = await cidOf('team/image:v1')
    expect(await isPinned(root)).toBe(false)
    await pushed(withKubo(), () => eventually('it is pinned', () => isPinned(root)))
    await pushed({ ...withKubo(), 'access-private': 'team/**' }, async (base) => {
      await pushImage(base, 'open/image', 'v1', 'pushed meanwhile')
      await eventually('it is unpinned', async () => !(await isPinned(root)))
    })
    expect(await isPinned(await cidOf('open/image:v1'))).toBe(true)
  })

  test('an origin that stops while it looks stops at once, and goes on the next time', async () => {
    await pushed(off, async (base) => {
      for (let at = 0; at < 20; at += 1) await pushImage(base, `many/${at}`, 'v1', `image ${at}`)
    })
    await pushed(withKubo(), async () => {})
    const root = await cidOf('many/19:v1')
    await pushed(withKubo(), () => eventually('the last one is pinned', () => isPinned(root), 60_000))
  })

  test('what is blocked is unpinned, the index that lists it too, and comes back with a push', async () => {
    const push = () => pushed(withKubo(), (base) => pushImage(base, 'some/name', 'v1', 'pinned, then blocked'))
    const { digest } = await push()
    const root = await cidOf('some/name:v1')
    expect(await isPinned(root)).toBe(true)
    await linesOf(runVerb(data.path, 'block', digest, ...asArgs(withKubo())))
    expect(await isPinned(root)).toBe(false)
    await publish()
    expect(await isPinned(root)).toBe(false)
    await linesOf(runVerb(data.path, 'unblock', digest, ...asArgs(withKubo())))
    await push()
    expect(await isPinned(root)).toBe(true)
  })

  test('an image without a name is pinned again, and gone when it is blocked', async () => {
    const options = { ...withKubo(), 'push-names': 'content-only' }
    const { digest } = await pushed(options, (base) => pushImage(base, 'lost/name', 'v1', 'without a name'))
    const root = await cidOf(digest.slice('sha256:'.length))
    await kubo.rpc.pin.rm(CID.parse(root))
    expect(await publish()).toEqual([expect.stringContaining('1 published, 0 taken off IPFS')])
    expect(await isPinned(root)).toBe(true)
    await linesOf(runVerb(data.path, 'block', root, ...asArgs(withKubo())))
    expect(await isPinned(root)).toBe(false)
    await pushed(options, async (base) => {
      // The registry has Kubo to ask, so that it says why it does not.
      expect((await fetch(`${base}/v2/${root}/manifests/latest`)).status).toBe(403)
      await expect(pushImage(base, 'lost/name', 'v1', 'without a name')).rejects.toThrow('DENIED')
    })
  })

  test('an import into a repository is pinned', async () => {
    const file = join(data.path, 'image.car')
    await pushed(off, (base) => pushImage(base, 'some/name', 'v1', 'imported and pinned'))
    const [root = ''] = await linesOf(runVerb(data.path, 'export', 'some/name:v1', file))
    await linesOf(runVerb(join(data.path, 'other'), 'import', file, 'a', ...asArgs(withKubo())))
    expect(await isPinned(root)).toBe(true)
  })
})
