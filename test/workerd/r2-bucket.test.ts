// The bucket contract on R2, in workerd.

import { env } from 'cloudflare:workers'
import { prefixedBucket } from '../../shared/edge/prefixed-bucket.ts'
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
