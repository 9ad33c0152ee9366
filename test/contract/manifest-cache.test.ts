// The contract of manifest caches on the one in memory. (KV: test/workerd.)

import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { manifestCacheContract } from './manifest-cache.contract.ts'

manifestCacheContract('in memory', async () => createMemoryCache(1024 * 1024))
