// Where accounts are kept by the configuration, and what is refused.

import { expect, test } from 'vitest'
import { randomKey } from '../../origin/accounts/random-key.ts'
import { ConfigError } from '../../origin/config/config-error.ts'
import { edgeRecords, openRecords, startRecords } from '../../origin/compose/account-records.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/stack.ts'
import { load } from './config-sources.ts'

const wait = new AbortController()
const onS3 = {
  'data-dir': '/nowhere',
  'bucket-s3-url': 'http://127.0.0.1:9/some-bucket',
  'bucket-access-key-id': 'some-key',
  'bucket-secret-access-key': 'some-secret',
}
const withKey = { ...onS3, 'origin-key': 'the-key-of-all-origins-of-this-test' }
const noBucket = () => Promise.reject(new Error('the bucket was opened'))

test('without origin.key they are in the data folder, and the bucket is not opened', async () => {
  for (const options of [{ 'data-dir': '/nowhere' }, onS3])
    for (const open of [openRecords, edgeRecords])
      expect((await open(await load({ options }), noBucket)).where('edge-key')).toBe('/nowhere/accounts/edge-key')
})

test('with origin.key they are in the bucket on S3', async () => {
  const bucket = createMemoryBucket()
  const records = await openRecords(await load({ options: withKey }), async () => bucket)
  expect(records.where('edge-key')).toBe('mirrorball/accounts/edge-key in the bucket')
})

test('origin.key without a bucket on S3 is a fault of the configuration', async () => {
  const config = await load({ options: { 'origin-key': withKey['origin-key'] } })
  await expect(openRecords(config, noBucket)).rejects.toThrow(ConfigError)
  await expect(openRecords(config, noBucket)).rejects.toThrow('origin.key: is set')
})

test('so is another origin.key than that of the other origins', async () => {
  const bucket = createMemoryBucket()
  await openRecords(await load({ options: withKey }), async () => bucket)
  const other = await load({ options: { ...withKey, 'origin-key': 'another-key-than-that-of-this-test' } })
  await expect(openRecords(other, async () => bucket)).rejects.toThrow(ConfigError)
})

test('so is origin.key where the server of the bucket cannot have several origins', async () => {
  const opened = {
    bucket: createMemoryBucket(),
    uploads: createMemoryUploads(new Map()),
    checks: [],
    conditionalWrites: false,
  }
  const log = createRecordingLog()
  await expect(startRecords(await load({ options: withKey }), opened, log)).rejects.toThrow(
    'origin.key: is for several origins',
  )
  const folder = await temporaryFolder()
  const plain = await load({ options: { ...onS3, 'data-dir': folder.path } })
  expect((await startRecords(plain, opened, log)).where('edge-key')).toContain(folder.path)
  await folder.remove()
})

test('a read-only origin makes no key, and says who does; it uses those that are there', async () => {
  const bucket = createMemoryBucket()
  const open = async (readOnly: string) =>
    openRecords(await load({ options: { ...withKey, 'access-read-only': readOnly } }), async () => bucket)
  await expect(open('true')).rejects.toThrow('is not there yet: start an origin without access.read_only once')
  const key = await randomKey(await open('false'), 'edge-key', wait)
  expect(await randomKey(await open('true'), 'edge-key', wait)).toEqual(key)
})

test('an edge does not wait for a bucket that does not answer', async () => {
  const bucket = { ...createMemoryBucket(), read: (_: unknown, __: unknown, { signal }: Wait) => untilAborted(signal) }
  const config = await load({ options: { ...withKey, 'edge-bucket-timeout-ms': '1' } })
  const records = await edgeRecords(config, async () => bucket)
  await expect(records.read('edge-key', wait)).rejects.toThrow('no answer within 1 ms')
})

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason as Error)))
}

test('an edge makes no key, and says who does; it uses the one that is there', async () => {
  const bucket = createMemoryBucket()
  const config = await load({ options: withKey })
  const records = await edgeRecords(config, async () => bucket)
  await expect(randomKey(records, 'edge-key', wait)).rejects.toThrow('is not there yet: start the origin once')
  const key = await randomKey(await openRecords(config, async () => bucket), 'edge-key', wait)
  expect(await randomKey(records, 'edge-key', wait)).toEqual(key)
})
