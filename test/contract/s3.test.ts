// The contracts of the bucket, of accounts in it and of staging on S3 servers: Miniflare's R2, and those that the environment names.

import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createBucketRecords } from '../../origin/accounts/bucket-records.ts'
import { connectS3, type S3Connection } from '../../origin/bucket/s3-connection.ts'
import { probeConditionalWrites } from '../../origin/bucket/s3-conditions.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import type { Key, KeyPrefix } from '../../shared/layout/keys.ts'
import { type S3Server, s3Servers } from '../support/bucket/s3-servers.ts'
import { createS3Uploads } from '../../origin/upload/s3-uploads.ts'
import { bucketReaderContract, bucketWriterContract } from './bucket.contract.ts'
import { recordsContract } from './records.contract.ts'
import { uploadsContract } from './uploads.contract.ts'

// Thousands of requests, to servers that take some ten milliseconds for each.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

const wait = { signal: new AbortController().signal }

describe.each(s3Servers)('$name', (kind) => {
  const { name, missing, timeStepMs } = kind

  describe.skipIf(missing !== undefined)(missing ?? 'is there', () => {
    let server: S3Server

    beforeAll(async () => {
      server = await kind.start()
    })
    afterAll(() => server.stop())

    /** As good as a fresh bucket: nothing of other tests begins with its prefix. */
    const connect = (): S3Connection =>
      connectS3({
        access: { ...server.access, prefix: `${systemRandom.uuid()}/` },
        clock: systemClock,
        // A thousand requests at once wait for each other here.
        timeoutMs: 60_000,
      })

    bucketReaderContract(name, async () => {
      const s3 = connect()
      return {
        bucket: createS3Bucket(s3),
        async put(key, bytes) {
          const command = { Bucket: s3.bucket, Key: s3.prefix + key, Body: bytes }
          await s3.call(
            `PUT ${key}`,
            (client, abortSignal) => client.send(new PutObjectCommand(command), { abortSignal }),
            wait,
          )
        },
      }
    })

    bucketWriterContract(name, async () => createS3Bucket(connect()))

    recordsContract(name, async () => {
      const s3 = connect()
      return () => createBucketRecords(createS3Bucket(s3), 'a-secret-of-all-origins-of-the-test')
    })

    uploadsContract(
      name,
      async () => {
        const s3 = connect()
        const bucket = createS3Bucket(s3)
        const open = () =>
          createS3Uploads({ s3, bucket, random: systemRandom, conditional: true, memoryBytes: 64 * 1024 * 1024 })
        return { uploads: open(), bucket, restarted: open }
      },
      timeStepMs,
    )

    test('where conditions are not to be relied on, what is there is not created again', async () => {
      const bucket = createS3Bucket(connect(), { conditional: false })
      const create = (text: string) => bucket.create('some/link' as Key, new TextEncoder().encode(text), wait)
      expect([await create('first'), await create('second')]).toEqual([true, false])
      expect(await bucket.head('some/link' as Key, wait)).toBe('first'.length)
    })

    test('the server honours conditions of writes', async () => {
      const s3 = connect()
      expect(await probeConditionalWrites(s3, systemRandom, wait)).toEqual({ ifNoneMatch: true, ifMatch: true })
      const left = createS3Bucket(s3).list('mirrorball/' as KeyPrefix, '', wait)
      for await (const { path } of left) expect.unreachable(path)
    })
  })
})
