// Accounts in the bucket, sealed: edges read it, and an operator may have opened it to the public by mistake.

import { accountKey, accountsPrefix } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import { type Records, SealedRecordError } from './records.ts'
import { createSeal } from './seal.ts'

/** Bytes; the largest record is a token with many limits. */
const recordLimitBytes = 1024 * 1024

/** Is the same for all, and tells who has another secret before anything is sealed with it. */
const proofName = 'seal'

/** @param secret `origin.key` */
export async function createBucketRecords(bucket: Bucket, secret: string): Promise<Records> {
  const seal = await createSeal(secret)
  const where = (name: string) => `${accountKey(name)} in the bucket`

  const records: Records = {
    where,

    async read(name, wait) {
      const key = accountKey(name)
      const bytes = await bucket.read(key, recordLimitBytes, wait)
      if (bytes === undefined) return undefined
      const text = await seal.open(key, bytes)
      if (text === undefined) throw new SealedRecordError(where(name))
      return text
    },

    async create(name, text, wait) {
      const key = accountKey(name)
      if (await bucket.create(key, await seal.close(key, text), wait)) return true
      // Perhaps ourselves: a write that succeeded, and whose answer was lost. If somebody else, with our secret.
      return (await records.read(name, wait)) === text
    },

    async replace(name, text, wait) {
      const key = accountKey(name)
      await bucket.write(key, await seal.close(key, text), wait)
    },

    async remove(name, wait) {
      const key = accountKey(name)
      if ((await bucket.head(key, wait)) === undefined) return false
      await bucket.remove(key, wait)
      return true
    },

    async names(folder, wait) {
      const prefix = accountsPrefix(folder)
      const names: string[] = []
      for await (const { path, kind } of bucket.list(prefix, '', wait))
        if (kind === 'object') names.push(path.slice(prefix.length))
      return names
    },
  }
  return records
}

/**
 * Makes sure that all who come here have the same secret: the first one's.
 * Rejects with SealedRecordError for everybody else.
 */
export async function proveSeal(records: Records, wait: Wait): Promise<void> {
  if ((await records.read(proofName, wait)) === undefined) await records.create(proofName, '', wait)
}
