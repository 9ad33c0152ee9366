// KV takes a minute to spread, and keeps misses for as long. What it has, or has not, is never why a client gets what was
// deleted, or does not get what is there.

import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { revisionLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import { ask, newIsolate, storeImage, type StoredImage } from './isolates.ts'
import { publishRules } from './published-rules.ts'

const name = 'lag/app' as RepositoryName
const tag = 'v1' as Tag

let image: StoredImage
let memory: object

beforeAll(() => publishRules())

/** Everywhere: in KV, and in the memory of one isolate. */
async function pulled(text: string): Promise<void> {
  image = await storeImage(name, tag, text)
  memory = newIsolate()
  expect((await ask(memory, `/v2/${name}/manifests/${tag}`)).status).toBe(200)
  expect(await env.MANIFESTS.get(`t/${name}/${tag}`)).toBe(image.digest)
  expect(await env.MANIFESTS.get(`m/${name}/${image.digest}`)).toBe(image.manifest)
}

async function statuses(reference: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const isolate of [memory, newIsolate()])
    for (const method of ['GET', 'HEAD'])
      found.push((await ask(isolate, `/v2/${name}/manifests/${reference}`, { method })).status)
  return found
}

describe('what was deleted', () => {
  test('is no more had by its tag, though KV and memories have it', async () => {
    await pulled('a tag')
    await env.BUCKET.delete(tagLinkKey(name, tag))
    expect(await statuses(tag)).toEqual([404, 404, 404, 404])
    expect(await statuses(image.digest)).toEqual([200, 200, 200, 200])
  })

  test('is no more had by its digest', async () => {
    await pulled('a manifest')
    await env.BUCKET.delete([tagLinkKey(name, tag), revisionLinkKey(name, image.digest)])
    expect(await statuses(tag)).toEqual([404, 404, 404, 404])
    expect(await statuses(image.digest)).toEqual([404, 404, 404, 404])
  })
})

test('what is there is had where KV has nothing yet, or says of a key that it is not there', async () => {
  await pulled('a miss')
  const MANIFESTS = {
    get: () => Promise.resolve(null),
    getWithMetadata: () => Promise.resolve({ value: null, metadata: null, cacheStatus: null }),
    put: () => Promise.resolve(),
  }
  for (const reference of [tag, image.digest]) {
    const answer = await ask(newIsolate({ MANIFESTS }), `/v2/${name}/manifests/${reference}`)
    expect([answer.status, await answer.text()]).toEqual([200, image.manifest])
  }
})

test('a tag that moves to and fro is what R2 says, whatever KV had before', async () => {
  for (const text of ['one', 'other', 'one']) {
    await pulled(text)
    const answer = await ask(newIsolate(), `/v2/${name}/manifests/${tag}`)
    expect(await answer.text()).toBe(image.manifest)
  }
})
