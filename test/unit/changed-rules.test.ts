// A repository is made private while an edge runs: after a minute nothing of it is had there, from no cache, by no name,
// and while the bucket is in error too.

import { beforeEach, describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { createPublicLinks } from '../../shared/edge/public-links.ts'
import { createPublishedAccess } from '../../shared/edge/published-access.ts'
import type { RegistryApp } from '../../shared/http/registry-app.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { edgeApp, type EdgeParts, fetchOf, originApp } from '../support/apps.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { sha256 } from '../support/image.ts'
import { pushTo, type PushedImage } from '../support/ipfs/ipfs-world.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { publishTo } from '../support/access/published-rules.ts'
import { silentLog } from '../support/silent-log.ts'

const open = { anonymous: 'pull', delete: false } as const satisfies AccessRules
const changed = { ...open, private: ['team/**'] } satisfies AccessRules

const everyoneByRule: AccessRules = {
  anonymous: 'none',
  delete: false,
  rules: [{ repositories: ['**'], users: [], anonymous: true, rights: ['pull'] }],
}

let objects: Objects
let clock: FakeClock
let isDown: boolean
let shared: ManifestCache
let rulesAtOrigin: AccessRules
let secret: PushedImage
let known: PushedImage

beforeEach(async () => {
  objects = new Map()
  clock = createFakeClock()
  isDown = false
  shared = createMemoryCache(1024 * 1024)
  const pushing = origin({ anonymous: 'push', delete: false })
  secret = await pushTo(pushing, 'team/app', ['a layer of the team'], 'v1')
  known = await pushTo(pushing, 'public/app', ['a layer for everyone'], 'v1')
  await publish(open)
})

function origin(access: AccessRules): RegistryApp {
  return originApp({ bucket: createMemoryBucket(objects), uploads: createMemoryUploads(objects), clock, access })
}

/** What a restart of the origin does. */
async function publish(rules: AccessRules): Promise<void> {
  rulesAtOrigin = rules
  await publishTo(createMemoryBucket(objects), { rules })
}

function newEdge(more: Partial<EdgeParts> = {}): RegistryApp {
  const memory = createMemoryBucket(objects)
  const unless = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (isDown) throw new UpstreamError('bucket', 'it is down')
    return work()
  }
  const bucket: BucketReader = {
    head: (...args) => unless(() => memory.head(...args)),
    read: (...args) => unless(() => memory.read(...args)),
    open: (...args) => unless(() => memory.open(...args)),
    async *list(...args) {
      await unless(async () => undefined)
      yield* memory.list(...args)
    },
  }
  const policy = createPublishedAccess({
    bucket,
    clock,
    log: silentLog,
    timeoutMs: 1000,
    readOnly: false,
    onLoopback: false,
  })
  const fetch: ReturnType<typeof fetchOf> = (...args) => fetchOf(origin(rulesAtOrigin))(...args)
  const links = { link: async (key: string) => `http://bucket.test/${key}` }
  return edgeApp({ bucket, shared, clock, policy, fetch, links, ...more })
}

/** Every way to what is in an image. */
function pathsTo(name: string, { digest, root, blobs }: PushedImage): readonly string[] {
  const hex = digest.slice('sha256:'.length)
  const under = (repository: string, tag: string) => [
    `/v2/${repository}/manifests/${tag}`,
    `/v2/${repository}/manifests/${digest}`,
    ...blobs.map((blob) => `/v2/${repository}/blobs/${sha256(blob)}`),
    `/v2/${repository}/tags/list`,
  ]
  return [...under(name, 'v1'), ...under(root, 'latest'), ...under(hex, 'latest'), `/v2/${hex}/manifests/${root}`]
}

/** One after the other: while one reads the rules, others go on with those before. */
async function given(edge: RegistryApp, paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const path of paths) {
    const { status } = await edge.request(`http://edge.test${path}`)
    if (status === 200 || status === 307) found.push(path)
  }
  return found
}

const catalogOf = async (edge: RegistryApp) =>
  ((await (await edge.request('http://edge.test/v2/_catalog')).json()) as { repositories: string[] }).repositories

describe('what is made private', () => {
  test('is had for a minute, and then by nobody, at an edge that had it in its caches', async () => {
    const edge = newEdge()
    const paths = pathsTo('team/app', secret)
    expect(await given(edge, paths)).toEqual(paths)
    expect(await catalogOf(edge)).toEqual(['public/app', 'team/app'])
    clock.advance(30_000)
    await publish(changed)
    clock.advance(29_999)
    expect(await given(edge, paths.slice(0, 1))).toEqual(paths.slice(0, 1))
    // Views and blobs were looked up just now, and would be remembered for another minute.
    await given(edge, paths)
    clock.advance(1)
    expect(await given(edge, paths)).toEqual([])
    expect(await catalogOf(edge)).toEqual(['public/app'])
    expect(await given(edge, pathsTo('public/app', known))).toEqual(pathsTo('public/app', known))
  })

  test('is no last known answer either while the bucket is in error; what is public is', async () => {
    const edge = newEdge()
    await given(edge, [...pathsTo('team/app', secret), ...pathsTo('public/app', known)])
    await publish(changed)
    clock.advance(60_000)
    expect(await given(edge, ['/v2/team/app/manifests/v1'])).toEqual([])
    isDown = true
    expect(await given(edge, pathsTo('team/app', secret))).toEqual([])
    expect(await given(edge, pathsTo('public/app', known))).toEqual([
      '/v2/public/app/manifests/v1',
      `/v2/public/app/manifests/${known.digest}`,
    ])
  })

  test('is refused by an edge that starts with the caches of another', async () => {
    await given(newEdge(), pathsTo('team/app', secret))
    await publish(changed)
    const edge = newEdge()
    expect(await given(edge, pathsTo('team/app', secret))).toEqual([])
    isDown = true
    expect(await given(edge, pathsTo('team/app', secret))).toEqual([])
  })
})

test('while everything is public, the last known answers are by content names too', async () => {
  const edge = newEdge()
  await given(edge, pathsTo('team/app', secret))
  isDown = true
  const manifests = pathsTo('team/app', secret).filter((path) => path.includes('/manifests/'))
  expect(await given(edge, manifests)).toEqual(manifests)
})

describe('a public bucket host', () => {
  const publicLinks = createPublicLinks('http://public.test/blobs')
  const links = { link: async (key: string) => `http://signed.test/${key}?signed` }
  const blobOf = ({ blobs }: PushedImage) => sha256(blobs[0] ?? '')
  const locationOf = async (edge: RegistryApp, name: string, digest: string) =>
    (await edge.request(`http://edge.test/v2/${name}/blobs/${digest}`)).headers.get('Location')

  test('is where clients are sent while everyone may pull everything, and from the minute on no more in which they may not', async () => {
    const edge = newEdge({ links, publicLinks })
    const [digest, ofTeam] = [blobOf(known), blobOf(secret)]
    const [key, keyOfTeam] = [digest, ofTeam].map((each) => blobKey(each as Digest))
    expect(await locationOf(edge, 'public/app', digest)).toBe(`http://public.test/blobs/${key}`)
    expect(await locationOf(edge, 'team/app', ofTeam)).toBe(`http://public.test/blobs/${keyOfTeam}`)
    await publish(changed)
    clock.advance(59_999)
    expect(await locationOf(edge, 'team/app', ofTeam)).toBe(`http://public.test/blobs/${keyOfTeam}`)
    clock.advance(1)
    expect(await locationOf(edge, 'team/app', ofTeam)).toBe(null)
    // Not what is public either: with anything private there, the host has to be closed.
    expect(await locationOf(edge, 'public/app', digest)).toBe(`http://signed.test/${key}?signed`)
    await publish(open)
    clock.advance(60_000)
    expect(await locationOf(edge, 'public/app', digest)).toBe(`http://public.test/blobs/${key}`)
  })

  test.each<[string, AccessRules]>([
    ['anonymous may not pull', { anonymous: 'none', users: 'pull', delete: false }],
    ['a rule alone lets anonymous pull', everyoneByRule],
    ['one repository is private, and another by a rule', { ...everyoneByRule, anonymous: 'pull', private: ['secret'] }],
  ])('is no place for anything where %s', async (_, access) => {
    const edge = edgeApp({ bucket: createMemoryBucket(objects), clock, access, links, publicLinks })
    expect((await locationOf(edge, 'public/app', blobOf(known))) ?? '').not.toContain('public.test')
  })

  test('alone is no reason to send anyone anywhere: the edge streams where it is not to be used', async () => {
    const edge = edgeApp({ bucket: createMemoryBucket(objects), clock, access: changed, publicLinks })
    const answer = await edge.request(`http://edge.test/v2/public/app/blobs/${blobOf(known)}`)
    expect([answer.status, await answer.text()]).toEqual([200, known.blobs[0]])
  })
})

test('a request is decided to its end by the rules that it was allowed by', async () => {
  await publish(changed)
  let reads = 0
  const policy = () => {
    reads += 1
    return { access: reads === 1 ? open : changed, auth: undefined }
  }
  const edge = edgeApp({ bucket: createMemoryBucket(objects), clock, policy })
  expect(await given(edge, ['/v2/_catalog'])).toEqual(['/v2/_catalog'])
  expect(reads).toBe(1)
})

test('an edge without any rules answers 503, and serves once they are there', async () => {
  const document = objects.get('mirrorball/access.json')
  objects.delete('mirrorball/access.json')
  const edge = newEdge()
  for (const path of ['/v2/', '/token', ...pathsTo('public/app', known)]) {
    const answer = await edge.request(`http://edge.test${path}`)
    expect([path, answer.status, answer.headers.get('Retry-After')]).toEqual([path, 503, '5'])
  }
  objects.set('mirrorball/access.json', document ?? new Uint8Array())
  expect(await given(edge, pathsTo('public/app', known))).toEqual(pathsTo('public/app', known))
})
