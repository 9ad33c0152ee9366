// The contract of manifest caches on Workers KV, in workerd.

import { env } from 'cloudflare:workers'
import { createKvCache } from '../../worker/kv-cache.ts'
import { manifestCacheContract } from '../contract/manifest-cache.contract.ts'

manifestCacheContract('KV', async () => {
  const { keys } = await env.MANIFESTS.list()
  for (const { name } of keys) await env.MANIFESTS.delete(name)
  return createKvCache(env.MANIFESTS)
})
