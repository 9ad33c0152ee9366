// The access rules as an origin leaves them in the bucket, for an edge that is started without one.

import { createFsBucket } from '../../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../../origin/compose/system-ports.ts'
import { type AccessDocument, publishAccess } from '../../../shared/auth/access-document.ts'
import type { Bucket } from '../../../shared/ports/bucket.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'

const everything = { rules: { anonymous: 'push', delete: true }, loopback: false, keys: [] } as const

/** @param changes from a registry that lets everyone do everything */
export async function publishTo(bucket: Bucket, changes: Partial<AccessDocument> = {}): Promise<void> {
  await publishAccess(bucket, { ...everything, keys: [], ...changes }, unhurried)
}

/** @param folder the bucket's own */
export async function publishIn(folder: string, changes: Partial<AccessDocument> = {}): Promise<void> {
  await publishTo(await createFsBucket({ folder, random: systemRandom }), changes)
}
