// The rules of access are set at the origin alone: it is restarted with others, and edges follow.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pushImage } from '../support/http-client.ts'
import { bearer, settingsWithUsers, signIn } from '../support/access/signed-in.ts'
import { anyPorts, type EdgeRuntime, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const path = '/v2/team/app/manifests/v1'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const started: Part[] = []

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(async () => {
  for (const part of started.splice(0).toReversed()) await part.stop()
  await folder.remove()
})

async function start(
  verb: 'bucket' | 'origin' | 'edge',
  options: Readonly<Record<string, string>> = {},
): Promise<Part> {
  const part = await startPart(verb, { 'data-dir': folder.path, ...anyPorts, ...options })
  started.push(part)
  return part
}

const documentFile = () => join(folder.path, 'bucket/mirrorball/access.json')
const document = () => readFile(documentFile(), 'utf8')
const published = ({ log }: Part) => log.filter(({ msg }) => msg === 'published the access rules; edges follow').length

async function statusOf({ url }: Part, headers: Readonly<Record<string, string>> = {}, at = path): Promise<number> {
  const answer = await fetch(`${url}${at}`, { headers })
  await answer.body?.cancel()
  return answer.status
}

describe.each<EdgeRuntime>(['node', 'workerd'])('an edge in %s', (edge) => {
  test('refuses what was made private at the origin, while it runs and when it starts', async () => {
    const bucket = await start('bucket')
    const before = await start('origin', settingsWithUsers)
    const admin = await signIn(before.url, folder.path, 'admin', ['team/app'])
    await pushImage(before.url, 'team/app', 'v1', 'secret', bearer(admin))
    // The origin is not asked for anything.
    const where = { edge, 'bucket-url': bucket.url, 'edge-origin-url': 'http://127.0.0.1:1' }
    const running = await start('edge', where)
    expect(await statusOf(running)).toBe(200)

    await before.stop()
    const origin = await start('origin', { ...settingsWithUsers, 'access-private': 'private/**,team/**' })
    await eventually('both said so', () => published(before) === 1 && published(origin) === 1)
    expect(await statusOf(await start('edge', where))).toBe(401)
    // The minute is not waited for: a token with a key that is not known has an edge look as well.
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'unknown' })).toString('base64url')
    await eventually('the running edge refuses', async () => {
      expect(await statusOf(running, bearer(`${header}.e30.AAAA`))).toBe(401)
      return (await statusOf(running)) === 401
    })
    const reader = await signIn(origin.url, folder.path, 'admin', ['team/app'])
    expect(await statusOf(running, bearer(reader))).toBe(200)
  })

  test('serves nobody before an origin was there, says what to do, and serves once one is', async () => {
    const bucket = await start('bucket')
    const alone = await start('edge', { edge, 'bucket-url': bucket.url, 'edge-origin-url': 'http://127.0.0.1:1' })
    const answer = await fetch(`${alone.url}/v2/`)
    expect([answer.status, answer.headers.get('Retry-After')]).toEqual([503, '5'])
    await answer.body?.cancel()
    expect(await statusOf(alone, {}, '/readyz')).toBe(503)
    await eventually('it says what to do', () => JSON.stringify(alone.log).includes('start the origin once'))
    await start('origin')
    expect(await statusOf(alone, {}, '/v2/')).toBe(200)
    await eventually('it is ready', async () => (await statusOf(alone, {}, '/readyz')) === 200)
  })
})

test('an edge that other machines reach does not follow an origin on loopback, where nobody said what is allowed', async () => {
  const origin = await start('origin')
  const options = { 'bucket-url': 'http://127.0.0.1:1/mirrorball', 'edge-origin-url': origin.url }
  const reached = await start('edge', { ...options, 'edge-listen': '0.0.0.0:0' })
  const local = { ...reached, url: reached.url.replace('0.0.0.0', '127.0.0.1') }
  expect(await statusOf(local, {}, '/v2/')).toBe(503)
  await eventually('it says what to do', () => JSON.stringify(reached.log).includes('set access.anonymous'))
  expect(await statusOf(await start('edge', options), {}, '/v2/')).toBe(200)
})

describe('an origin publishes', () => {
  test('where it differs alone', async () => {
    await (await start('origin')).stop()
    const first = await document()
    const again = await start('origin')
    await again.stop()
    expect([published(again), await document()]).toEqual([0, first])
  })

  test('nothing where it cannot listen', async () => {
    const origin = await start('origin')
    const first = await document()
    const listen = new URL(origin.url).host
    await expect(start('origin', { 'origin-listen': listen, 'access-private': '**' })).rejects.toThrow('is taken')
    expect(await document()).toBe(first)
  })

  test('over what is damaged', async () => {
    await (await start('origin')).stop()
    const first = await document()
    await writeFile(documentFile(), '{"version":1,')
    await start('origin')
    expect(await document()).toBe(first)
  })

  test('nothing where it is read-only, and says that edges have other rules', async () => {
    const said = ({ log }: Part) => log.some(({ msg }) => String(msg).startsWith('edges have other access rules'))
    await (await start('origin')).stop()
    const first = await document()
    const same = await start('origin', { 'access-read-only': 'true' })
    await same.stop()
    const other = await start('origin', { 'access-read-only': 'true', 'access-private': '**' })
    await other.stop()
    expect([said(same), said(other), await document()]).toEqual([false, true, first])
  })
})
