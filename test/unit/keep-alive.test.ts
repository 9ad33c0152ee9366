// An edge tells the origin that an image from outside is still asked for.

import { expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import { parseDigest } from '../../shared/protocol/digest.ts'
import { writeFetched } from '../../shared/registry/content-view.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { edgeApp, fetchOf, keepFetchedMs, originApp } from '../support/apps.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { manifestText, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { ownAuthentication } from '../support/access/own-authentication.ts'

test('also where only users may pull: it asks as the user did', async () => {
  const clock = createFakeClock()
  const objects: Objects = new Map()
  const [bucket, uploads] = [createMemoryBucket(objects), createMemoryUploads(objects)]
  const manifest = manifestText('{}', [])
  const open = originApp({ bucket, uploads, clock })
  const put = (path: string, method: string, body: string) =>
    open.request(`http://r/v2/any/${path}`, { method, body, headers: { 'Content-Type': ociManifestType } })
  await put(`blobs/uploads/?digest=${sha256('{}')}`, 'POST', '{}')
  await put('manifests/v1', 'PUT', manifest)
  // As if it had come from outside, and so long ago that this has to be renewed.
  for (const text of [sha256(manifest), sha256('{}')]) {
    const digest = parseDigest(text)
    if (digest !== undefined) await writeFetched(bucket, digest, clock.now(), unhurried)
  }
  clock.advance(keepFetchedMs - 3600_000)
  const access: AccessRules = { anonymous: 'none', users: 'pull', delete: false }
  const { auth, headers } = await ownAuthentication(clock)
  const name = sha256(manifest).slice('sha256:'.length)
  const reach = fetchOf(originApp({ bucket, uploads, clock, access, auth }))
  const asked = Promise.withResolvers<Response>()
  const edge = edgeApp({
    bucket,
    clock,
    access,
    auth,
    fetch: async (...args) => {
      const answer = await reach(...args)
      asked.resolve(answer)
      return answer
    },
  })
  const pull = async () =>
    edge.request(`http://r/v2/${name}/manifests/latest`, {
      headers: await headers('alice', name, { granted: ['pull'] }),
    })
  expect((await pull()).status).toBe(200)
  expect((await asked.promise).status).toBe(200)
  clock.advance(keepFetchedMs - 3600_000)
  expect((await pull()).status).toBe(200)
})
