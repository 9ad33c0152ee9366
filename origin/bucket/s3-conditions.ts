// What conditions of writes are worth on a server: some honour them, some ignore them, some refuse them.

import { PutObjectCommand } from '@aws-sdk/client-s3'
import { probeKey } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Random } from '../../shared/ports/random.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { removeObject } from './s3-bucket.ts'
import { type S3Connection, S3Failure } from './s3-connection.ts'

export interface ConditionalWrites {
  /** `If-None-Match: *`: an object is written only where there is none. */
  readonly ifNoneMatch: boolean
  /** `If-Match`: an object is replaced only where it is still the one that was read. */
  readonly ifMatch: boolean
}

/** Tries both, on an object of its own. Rejects with UpstreamError where the bucket cannot be written at all. */
export async function probeConditionalWrites(s3: S3Connection, random: Random, wait: Wait): Promise<ConditionalWrites> {
  const key = probeKey(random.uuid())

  async function write(condition: { IfNoneMatch?: string; IfMatch?: string }): Promise<string | undefined> {
    const command = { Bucket: s3.bucket, Key: s3.prefix + key, Body: new Uint8Array(1), ...condition }
    const { ETag } = await s3.call(
      `PUT ${key}`,
      (client, abortSignal) => client.send(new PutObjectCommand(command), { abortSignal }),
      wait,
    )
    return ETag
  }

  /** Whether a write that must not succeed is refused for its condition. */
  async function isRefused(condition: { IfNoneMatch?: string; IfMatch?: string }): Promise<boolean> {
    try {
      await write(condition)
      return false
    } catch (error) {
      if (error instanceof S3Failure && error.status === 412) return true
      if (error instanceof S3Failure && error.status === 501) return false
      throw error
    }
  }

  try {
    const etag = await write({})
    const ifNoneMatch = await isRefused({ IfNoneMatch: '*' })
    const strange = '"00000000000000000000000000000000"'
    const ifMatch = (await isRefused({ IfMatch: strange })) && !(await isRefused({ IfMatch: etag ?? strange }))
    return { ifNoneMatch, ifMatch }
  } finally {
    await removeObject(s3, key, unhurried).catch(() => {}) // One byte that means nothing.
  }
}
