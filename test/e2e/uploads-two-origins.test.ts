// An upload that two origins on one bucket take turns with: each has seen a part of it only.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { createS3Uploads } from '../../origin/upload/s3-uploads.ts'
import type { RegistryApp } from '../../shared/http/registry-app.ts'
import { originApp } from '../support/apps.ts'
import { miniflareS3, type S3Server } from '../support/bucket/s3-servers.ts'
import { sha256 } from '../support/image.ts'

const name = 'team/app'
const [first, second] = ['the first bytes, ', 'and the second ones']
const digest = sha256(first + second)

let server: S3Server
let a: RegistryApp
let b: RegistryApp
let path: string

beforeAll(async () => {
  server = await miniflareS3.start()
})
afterAll(() => server.stop())

function origin(prefix: string): RegistryApp {
  const s3 = connectS3({ access: { ...server.access, prefix }, clock: systemClock, timeoutMs: 30_000 })
  const bucket = createS3Bucket(s3)
  const memoryBytes = 16 * 1024 * 1024
  return originApp({
    bucket,
    uploads: createS3Uploads({ s3, bucket, random: systemRandom, conditional: true, memoryBytes }),
  })
}

beforeEach(async () => {
  const prefix = `${systemRandom.uuid()}/`
  ;[a, b] = [origin(prefix), origin(prefix)]
  const begun = await a.request(`/v2/${name}/blobs/uploads/`, { method: 'POST' })
  path = begun.headers.get('Location') ?? ''
})

const patch = (app: RegistryApp, body: string) => app.request(path, { method: 'PATCH', body })
const put = (app: RegistryApp, wanted: string, body = '') => {
  const headers = { 'Content-Length': String(body.length) }
  return app.request(`${path}?digest=${wanted}`, { method: 'PUT', body, headers })
}
const pulled = async (app: RegistryApp) => (await app.request(`/v2/${name}/blobs/${digest}`)).text()

const turns: readonly (readonly [string, () => readonly [RegistryApp, RegistryApp, RegistryApp]])[] = [
  ['one after the other, and who began ends it', () => [a, b, a]],
  ['one after the other, and the other one ends it', () => [a, b, b]],
  ['the other one alone, and who began ends it', () => [b, b, a]],
  ['who began alone, and the other one ends it', () => [a, a, b]],
]

describe.each(turns)('whose bytes were taken by %s,', (_, apps) => {
  test('is published whole, for both', async () => {
    const [one, two, last] = apps()
    expect((await patch(one, first)).headers.get('Range')).toBe(`0-${first.length - 1}`)
    expect((await patch(two, second)).headers.get('Range')).toBe(`0-${first.length + second.length - 1}`)
    expect((await put(last, digest)).status).toBe(201)
    expect(await Promise.all([pulled(a), pulled(b)])).toEqual([first + second, first + second])
    expect((await put(last, digest)).status).toBe(404)
  })
})

test('whose end has the digest of what one of them has seen is published as that, and no more', async () => {
  await patch(a, first)
  await patch(b, second)
  expect((await put(a, sha256(first))).status).toBe(201)
  const blob = await b.request(`/v2/${name}/blobs/${sha256(first)}`)
  expect(await blob.text()).toBe(first)
})

test('goes on after an end that was refused, where all of it went by one of them', async () => {
  await patch(a, first)
  const refused = await put(a, sha256('something else'))
  expect([refused.status, await refused.json()]).toMatchObject([400, { errors: [{ code: 'DIGEST_INVALID' }] }])
  await patch(a, second)
  expect((await put(a, digest)).status).toBe(201)
  expect(await pulled(b)).toBe(first + second)
})

test('that the other one ended is over', async () => {
  await patch(a, first + second)
  expect((await b.request(path, { method: 'DELETE' })).status).toBe(204)
  const late = await put(a, digest)
  expect([late.status, await late.json()]).toMatchObject([404, { errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] }])
})
