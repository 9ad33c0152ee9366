// A multipart upload of S3: an object made of parts that nobody sees before it is completed. That there is one is noted
// beside the upload that it publishes, so that one which a crash left is found, and its parts are freed.

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
} from '@aws-sdk/client-s3'
import { type Key, uploadMultipartKey } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import type { Random } from '../../shared/ports/random.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { contentHeaders } from '../bucket/s3-bucket.ts'
import { type S3Connection, S3Failure } from '../bucket/s3-connection.ts'

export interface MultipartDeps {
  readonly s3: S3Connection
  readonly bucket: Bucket
  readonly random: Random
}

export interface Multipart {
  readonly key: Key
  readonly uploadId: string
}

/** Bytes; a note is much smaller. */
const noteLimitBytes = 8192

/** Whose object it is, in its metadata: a retry must tell what it completed from what was there before. */
const mark = 'upload'

/**
 * Makes the object `key` of parts. Rejects, and leaves nothing, where a part fails.
 * @param makeParts returns the parts' etags, in order; the object appears only after it
 */
export async function publishParts(
  { s3, bucket, random }: MultipartDeps,
  id: string,
  target: { readonly key: Key; readonly sizeBytes: number },
  makeParts: (multipart: Multipart) => Promise<readonly string[]>,
  wait: Wait,
): Promise<void> {
  const { key, sizeBytes } = target
  const at = { Bucket: s3.bucket, Key: s3.prefix + key }
  const unique = random.uuid()
  const create = new CreateMultipartUploadCommand({ ...at, ...contentHeaders(key), Metadata: { [mark]: unique } })
  const { UploadId: uploadId = '' } = await s3.call(
    `POST ${key}?uploads`,
    (client, abortSignal) => client.send(create, { abortSignal }),
    wait,
  )
  const multipart = { key, uploadId }
  const note = uploadMultipartKey(id, unique)
  try {
    await bucket.write(note, new TextEncoder().encode(JSON.stringify(multipart)), wait)
    const etags = await makeParts(multipart)
    const Parts = etags.map((ETag, part) => ({ ETag, PartNumber: part + 1 }))
    const complete = new CompleteMultipartUploadCommand({ ...at, UploadId: uploadId, MultipartUpload: { Parts } })
    await s3.call(
      `POST ${key}?uploadId`,
      (client, abortSignal) => client.send(complete, { abortSignal }),
      wait,
      sizeBytes,
    )
  } catch (error) {
    if (!(await wasCompleted(s3, key, unique, error))) {
      // Where it cannot be aborted now, its note says that there is something to free.
      const abort = async () => {
        await abortMultipart(s3, multipart, unhurried)
        await bucket.remove(note, unhurried)
      }
      await abort().catch(() => {})
      throw error
    }
  }
  // One that cannot be removed now only costs another look at the end of the session.
  await bucket.remove(note, unhurried).catch(() => {})
}

/** A try succeeded, and its answer was lost: the next one finds no such multipart upload any more. */
async function wasCompleted(s3: S3Connection, key: Key, unique: string, error: unknown): Promise<boolean> {
  if (!(error instanceof S3Failure) || error.code !== 'NoSuchUpload') return false
  const found = await s3.call(
    `HEAD ${key}`,
    (client, abortSignal) =>
      client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: s3.prefix + key }), { abortSignal }),
    unhurried,
  )
  return found.Metadata?.[mark] === unique
}

/** Frees the parts, also where that was done before. */
export async function abortMultipart(s3: S3Connection, { key, uploadId }: Multipart, wait: Wait): Promise<void> {
  const command = { Bucket: s3.bucket, Key: s3.prefix + key, UploadId: uploadId }
  try {
    await s3.call(
      `DELETE ${key}?uploadId`,
      (client, abortSignal) => client.send(new AbortMultipartUploadCommand(command), { abortSignal }),
      wait,
    )
  } catch (error) {
    if (!(error instanceof S3Failure) || error.code !== 'NoSuchUpload') throw error
  }
}

/** What a note says; undefined where it is gone. */
export async function readNote(bucket: Bucket, note: Key, wait: Wait): Promise<Multipart | undefined> {
  const bytes = await bucket.read(note, noteLimitBytes, wait)
  if (bytes === undefined) return undefined
  try {
    const { key, uploadId } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Multipart>
    if (typeof key === 'string' && typeof uploadId === 'string') return { key, uploadId }
  } catch {
    // Said below.
  }
  throw new UpstreamError('bucket', `${note} is damaged; remove it, and abort the multipart uploads that are left`)
}
