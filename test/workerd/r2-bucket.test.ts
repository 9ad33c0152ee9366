// The bucket contract on R2, in workerd.

import { env } from 'cloudflare:workers'
import { createR2Bucket } from '../../worker/r2-bucket.ts'
import { bucketReaderContract } from '../contract/bucket.contract.ts'

bucketReaderContract('R2', async () => {
  for (;;) {
    const { objects } = await env.BUCKET.list()
    if (objects.length === 0) break
    await env.BUCKET.delete(objects.map(({ key }) => key))
  }
  return { bucket: createR2Bucket(env.BUCKET), put: async (key, bytes) => void (await env.BUCKET.put(key, bytes)) }
})
