// The bucket contract on R2, in workerd.

import { env } from 'cloudflare:workers'
import { prefixedBucket } from '../../shared/edge/prefixed-bucket.ts'
import { expect, test } from 'vitest'
import { blobKey } from '../../shared/layout/keys.ts'
import { digestFrom } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createR2Bucket } from '../../worker/r2-bucket.ts'
import { bucketReaderContract } from '../contract/bucket.contract.ts'

async function emptyBucket(): Promise<void> {
  for (;;) {
    const { objects } = await env.BUCKET.list()
    if (objects.length === 0) break
    await env.BUCKET.delete(objects.map(({ key }) => key))
  }
}

bucketReaderContract('R2', async () => {
  await emptyBucket()
  return { bucket: createR2Bucket(env.BUCKET), put: async (key, bytes) => void (await env.BUCKET.put(key, bytes)) }
})

bucketReaderContract('R2, under a prefix', async () => {
  await emptyBucket()
  await env.BUCKET.put('team/registry-2/a', '')
  return {
    bucket: prefixedBucket(createR2Bucket(env.BUCKET), 'team/registry'),
    put: async (key, bytes) => void (await env.BUCKET.put(`team/registry/${key}`, bytes)),
  }
})

test.each([
  { start: 3, end: 4 },
  { start: 4, end: 4 },
  { start: 100, end: 200 },
])('R2 has all of an object for the range %o, which lies outside of it; we have a fault', async (range) => {
  const key = blobKey(digestFrom('sha256', 'a'.repeat(64)))
  await env.BUCKET.put(key, '0123')
  // The one here knows such ranges; that of Cloudflare looks over them.
  const get = (asked: string) => env.BUCKET.get(asked)
  const bucket = createR2Bucket(new Proxy(env.BUCKET, { get: () => get }))
  const { signal } = new AbortController()
  await expect(bucket.open(key, range, { signal })).rejects.toThrow(UpstreamError)
})
