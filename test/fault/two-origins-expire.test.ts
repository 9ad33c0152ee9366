// Origins on one S3 bucket all look for uploads that nobody goes on with: what one ends the other need not, and neither
// takes that for a fault.

import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { createS3Uploads } from '../../origin/upload/s3-uploads.ts'
import { uploadMultipartKey, uploadsPrefix } from '../../shared/layout/keys.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { startUploadExpiry } from '../../shared/registry/upload-expiry.ts'
import { digestOf } from '../../shared/protocol/digest.ts'
import { chunk, hourMs, name, wait } from '../support/bucket/expiring-uploads.ts'
import { type S3Server, s3Servers } from '../support/bucket/s3-servers.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from '../support/stack.ts'

describe.each(s3Servers)('$name', (kind) => {
  describe.skipIf(kind.missing !== undefined)(kind.missing ?? 'is there', () => {
    let server: S3Server

    beforeAll(async () => {
      server = await kind.start()
    })
    afterAll(() => server.stop())

    /** Some hours after all that the test writes. */
    const later = () => createFakeClock(Date.now() + 3 * hourMs)

    function world() {
      const access = { ...server.access, prefix: `${systemRandom.uuid()}/` }
      const s3 = connectS3({ access, clock: systemClock, timeoutMs: 60_000 })
      const bucket = createS3Bucket(s3)
      const origin = () => {
        const uploads = createS3Uploads({ s3, bucket, random: systemRandom, conditional: true, memoryBytes: 2 ** 24 })
        return { uploads, pushBlob: createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom }) }
      }
      /** What a crash left in the middle of publishing. */
      const leaveMultipart = async (id: string) => {
        const key = `${s3.prefix}left/over`
        const command = new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key: key })
        const { UploadId: uploadId } = await s3.call('POST', (client) => client.send(command), wait)
        const note = new TextEncoder().encode(JSON.stringify({ key: 'left/over', uploadId }))
        await bucket.write(uploadMultipartKey(id, systemRandom.uuid()), note, wait)
      }
      const left = async () => {
        const paths = []
        for await (const { path } of bucket.list(uploadsPrefix, '', wait)) paths.push(path)
        return paths
      }
      return { origins: [origin(), origin(), origin()] as const, leaveMultipart, left }
    }

    test('those that end the same uploads at once end them all, and none reports a fault', async () => {
      const { origins, leaveMultipart, left } = world()
      const [{ pushBlob }] = origins
      for (let count = 0; count < 5; count++) {
        const id = await pushBlob.start({ name }, 'sha256', wait)
        await pushBlob.append({ name }, id, chunk(`bytes ${count}`), wait)
        await leaveMultipart(id)
      }
      const log = createRecordingLog()
      const running = origins.map((each) =>
        startUploadExpiry({ ...each, clock: later(), log, expireAfterMs: 2 * hourMs }),
      )
      await eventually('all have looked', () => log.lines.length === origins.length, 60_000)
      for (const each of running) await each.stop()
      expect(log.lines).toMatchObject(origins.map(() => ({ level: 'info', fields: { kept: 0, failed: 0 } })))
      expect(await left()).toEqual([])
    })

    test('an upload that ends at one origin is over for a client that goes on with it at another', async () => {
      const { origins, left } = world()
      const [one, two] = origins
      const id = await one.pushBlob.start({ name }, 'sha256', wait)
      await two.pushBlob.append({ name }, id, chunk('begun here'), wait)
      expect(await one.pushBlob.expire(id, Date.now() + hourMs, wait)).toBe('removed')
      const digest = await digestOf(new TextEncoder().encode('begun here, ended there'))
      await expect(two.pushBlob.finish({ name }, id, digest, chunk(', ended there'), wait)).rejects.toMatchObject({
        code: 'BLOB_UPLOAD_UNKNOWN',
      })
      expect(await left()).toEqual([])
    })
  })
})
