// The access rules as an origin leaves them in R2.

import { env } from 'cloudflare:workers'
import type { AccessDocument } from '../../shared/auth/access-document.ts'
import { accessKey } from '../../shared/layout/keys.ts'

/** @param rules undefined: everyone may pull */
export async function publishRules(
  rules: AccessDocument['rules'] = { anonymous: 'pull', delete: false },
  more: Partial<AccessDocument> = {},
): Promise<void> {
  await env.BUCKET.put(accessKey, JSON.stringify({ version: 1, rules, keys: [], ...more }))
}
