// Every route × method × identity × place × spelling, at every face: who may do what, compared with a policy that is said
// apart from the product (test/support/access-table). What is refused changes nothing.

import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { routeMethods } from '../../shared/http/routes.ts'
import { faultOf } from '../support/access/table/check.ts'
import type { Identity, Place } from '../support/access/table/policy.ts'
import { isNamed, type Probe, probesOf } from '../support/access/table/probes.ts'
import { rows, type Target } from '../support/access/table/routes.ts'
import { createExactClient, type ExactClient } from '../support/http/exact-request.ts'
import { type Face, faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { claimsFor, otherKey, ownKey, signed } from '../support/access/forged-tokens.ts'
import {
  manifestText,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  type SmallImage,
  startUpload,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { bearer, settingsWithUsers, signIn, tokenFrom } from '../support/access/signed-in.ts'

let client: ExactClient
let faces: Faces
let origin: string
let admin: { Authorization: string }
let targets: Readonly<Record<Place, Target>>
const tokens = new Map<string, string | undefined>()

beforeAll(async () => {
  faces = await startFaces(settingsWithUsers)
  origin = faces.url('origin')
  admin = bearer(await signIn(origin, faces.dataFolder, 'admin', ['public/app', 'private/app']))
  targets = await pushTargets()
  for (const face of faceNames)
    for (const [identity, token] of Object.entries(await tokensAt(faces.url(face))))
      tokens.set(`${face} ${identity}`, token)
})

afterAll(() => faces.stop())

// Each test has connections of its own: a listener closes those that were idle for a while.
beforeEach(() => {
  client = createExactClient(16)
})

afterEach(() => client.close())

async function pushTargets(): Promise<Readonly<Record<Place, Target>>> {
  const target = async (name: string, image: SmallImage, session: string): Promise<Target> => ({
    name,
    tag: name.includes('/') ? 'v1' : 'latest',
    digest: image.digest,
    blob: sha256(image.layer),
    session,
    manifest: manifestText(image.config, [], { annotations: { pushed: 'by a probe' } }),
  })
  const named = async (name: string) => {
    const image = await pushImage(origin, name, 'v1', name, admin)
    const session = (await startUpload(origin, name, admin)).pathname.split('/').at(-1) ?? ''
    return { itself: await target(name, image, session), content: await target(image.digest.slice(7), image, session) }
  }
  const [open, closed] = [await named('public/app'), await named('private/app')]
  return {
    public: open.itself,
    private: closed.itself,
    'content name': open.content,
    'content name of a private image': closed.content,
  }
}

async function tokensAt(base: string): Promise<Readonly<Record<Identity, string | undefined>>> {
  const names = Object.values(targets).map(({ name }) => name)
  const as = (user: string, limits?: Parameters<typeof signIn>[4], of = names) =>
    signIn(base, faces.dataFolder, user, of, limits)
  const own = await ownKey(faces.dataFolder)
  const past = Math.floor(Date.now() / 1000) - 3600
  return {
    'no token': undefined,
    'anonymous token': (await tokenFrom(base, [])).token,
    'no JWT': 'none.of.ours',
    'signed by another key': await signed(await otherKey(), { kid: own.id }, claimsFor('private/app')),
    expired: await signed(own.key, { kid: own.id }, claimsFor('private/app', { iat: past, exp: past + 300 })),
    reader: await as('reader'),
    writer: await as('writer'),
    stranger: await as('stranger'),
    'limited to other/**': await as('admin', [{ repositories: 'other/**', rights: ['pull', 'push', 'delete'] }]),
    'limited to pulls': await as('admin', [{ repositories: '**', rights: ['pull'] }]),
    'for another repository': await as('admin', undefined, ['other/app']),
    admin: await as('admin'),
  }
}

/** What is wrong with the answer to a probe, as one line; undefined where nothing is. */
async function ask(face: Face, probe: Probe, target: Target): Promise<string | undefined> {
  const { method, call, identity, place, spelling } = probe
  const token = tokens.get(`${face} ${identity}`)
  const path = probe.path(target)
  const answer = await client.send(faces.url(face), {
    method,
    target: `${path}${call?.query?.(target) ?? ''}`,
    headers: { ...call?.headers, ...(token === undefined ? {} : bearer(token)) },
    body: call?.body?.(target),
  })
  const fault = faultOf(answer, probe.expected, { base: faces.url(face), allowedStatus: statusOf(face, probe) })
  return fault && `${face}, ${identity}, ${place} (${spelling}): ${method} ${path}: ${fault}`
}

function statusOf(face: Face, { call, kind, place, another }: Probe): number {
  // What a private image has under its content name is nobody's to see; referrers of anything are a list, if an empty one.
  const isHidden = place === 'content name of a private image' && isNamed(kind) && kind !== 'referrers'
  if (isHidden || another) return 404
  return (face === 'origin' ? undefined : call?.edgeStatus) ?? call?.status ?? 0
}

function listed(faults: readonly (string | undefined)[]): string {
  return faults
    .filter((fault) => fault !== undefined)
    .sort()
    .join('\n')
}

test('every route and method has its row', () => {
  const methods = Object.entries(rows).map(([kind, { calls }]) => [kind, Object.keys(calls)])
  expect(Object.fromEntries(methods)).toEqual(routeMethods)
})

const bucketFiles = () => filesIn(join(faces.dataFolder, 'bucket'))

test.each(faceNames)(
  'at the %s everyone else is refused as the policy says, and nothing changes by it',
  async (face) => {
    const refused = probesOf(targets).filter(({ expected: { kind } }) => kind !== 'allowed')
    expect(refused.length).toBeGreaterThan(1000)
    const before = await bucketFiles()
    const faults = await Promise.all(refused.map((probe) => ask(face, probe, targets[probe.place])))
    expect(listed(faults)).toBe('')
    expect(await bucketFiles()).toEqual(before)
  },
)

const reads = new Set(['pull', 'any token', 'the catalog', 'no bearer'])

test.each(faceNames)('at the %s whoever may read does so', async (face) => {
  const allowed = probesOf(targets).filter(
    ({ expected: { kind }, call }) => kind === 'allowed' && reads.has(call?.need ?? ''),
  )
  expect(allowed.length).toBeGreaterThan(100)
  const faults = await Promise.all(allowed.map((probe) => ask(face, probe, targets[probe.place])))
  expect(listed(faults)).toBe('')
})

test.each(faceNames)('at the %s whoever may push and delete does so', async (face) => {
  const allowed = probesOf(targets).filter(
    ({ expected: { kind }, call }) => kind === 'allowed' && !reads.has(call?.need ?? ''),
  )
  expect(allowed.length).toBeGreaterThan(50)
  const faults = await Promise.all(allowed.map(async (probe, at) => ask(face, probe, await prepared(face, probe, at))))
  expect(listed(faults)).toBe('')
})

/** The target of a request that will be done: with a tag, manifest, blob and session for this one alone. */
async function prepared(face: Face, { kind, place, method, identity }: Probe, at: number): Promise<Target> {
  const target = targets[place]
  const { name } = target
  const seed = `${face} ${at}`
  const tag = `probe-${faceNames.indexOf(face)}-${at}`
  const manifest = manifestText(`config of ${seed}`, [])
  if (kind === 'manifest') {
    await pushBlob(origin, name, `config of ${seed}`, admin)
    if (method === 'DELETE') {
      const pushed = await putManifest(origin, name, tag, manifest, ociManifestType, admin)
      if (pushed.status !== 201) throw new Error(`the manifest was answered ${pushed.status}`)
    }
    return { ...target, tag, manifest, digest: sha256(manifest) }
  }
  if (kind === 'blob') return { ...target, blob: await pushBlob(origin, name, seed, admin) }
  if (kind !== 'upload') return target
  const session = await startUpload(origin, name, bearer(tokens.get(`${face} ${identity}`) ?? ''))
  return { ...target, session: session.pathname.split('/').at(-1) ?? '' }
}
