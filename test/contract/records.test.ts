// The places for accounts: a folder, and a bucket, here in memory; test/contract/s3.test.ts has those on S3.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createBucketRecords } from '../../origin/accounts/bucket-records.ts'
import { createFolderRecords } from '../../origin/accounts/folder-records.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { temporaryFolder } from '../support/stack.ts'
import { recordsContract } from './records.contract.ts'

const wait = { signal: new AbortController().signal }

async function newFolder(): Promise<string> {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  return join(folder.path, 'deep', 'accounts')
}

recordsContract('a folder', async () => {
  const folder = await newFolder()
  return async () => createFolderRecords(folder)
})

recordsContract('a bucket', async () => {
  const bucket = createMemoryBucket()
  return () => createBucketRecords(bucket, 'a-secret-of-all-origins-of-the-test')
})

test('files and folders are for their owner alone, and nothing is left beside them', async () => {
  const folder = await newFolder()
  const records = createFolderRecords(folder)
  await records.create('key', 'text', wait)
  await records.create('key', 'other', wait)
  await records.replace('key', 'text', wait)
  await records.replace('tokens/new.used', 'text', wait)
  expect((await readdir(folder, { recursive: true })).toSorted()).toEqual(['key', 'tokens', 'tokens/new.used'])
  const modes = ['', 'key', 'tokens', 'tokens/new.used'].map(
    async (name) => (await stat(join(folder, name))).mode & 0o777,
  )
  expect(await Promise.all(modes)).toEqual([0o700, 0o600, 0o700, 0o600])
})
