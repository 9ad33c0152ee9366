// The last-known access rules, in Workers KV beside the manifests (worker/kv-cache.ts), under a prefix of their own.

import type { AccessCopy } from '../shared/ports/access-copy.ts'

const key = 'a/access'

export function createKvAccessCopy(kv: KVNamespace): AccessCopy {
  return {
    read: async () => (await kv.get(key)) ?? undefined,
    // Without an end: as long as nothing changes, nobody writes it again.
    keep: (text) => kv.put(key, text),
  }
}
