// An image of the bucket as the files of an OCI image layout: exactly those that its root on IPFS has, too.

import { layoutFiles } from '../../shared/ipfs/image-root.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { BucketReader, Wait } from '../../shared/ports/bucket.ts'
import type { Hasher } from '../../shared/ports/hasher.ts'
import { algorithmOf, type Digest, hexOf } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import type { ImageRecord } from '../../shared/registry/image-record.ts'
import type { FolderEntry } from './whole-output.ts'

export interface LayoutEntry extends FolderEntry {
  readonly sizeBytes: number
}

/** Bytes are hashed while they are read; those of a damaged blob end in UpstreamError('bucket'). */
export async function* layoutEntries(
  deps: { readonly bucket: BucketReader; readonly hasher: Hasher },
  image: ImageRecord,
  wait: Wait,
): AsyncGenerator<LayoutEntry, void, undefined> {
  for (const [path, text] of Object.entries(layoutFiles(image))) {
    const bytes = new TextEncoder().encode(text)
    yield { path, sizeBytes: bytes.byteLength, bytes: once(bytes) }
  }
  for (const { digest, sizeBytes } of image.walk) {
    const path = `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
    yield { path, sizeBytes, bytes: checkedBlob(deps, digest, wait) }
  }
}

async function* checkedBlob(
  { bucket, hasher }: { readonly bucket: BucketReader; readonly hasher: Hasher },
  digest: Digest,
  wait: Wait,
): AsyncGenerator<Uint8Array, void, undefined> {
  const opened = await bucket.open(blobKey(digest), undefined, wait)
  if (opened === undefined) throw new UpstreamError('bucket', `the bytes of ${digest} are gone; push it again`)
  const hash = hasher.start(algorithmOf(digest))
  for await (const chunk of opened.body) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest() !== digest) throw new UpstreamError('bucket', `the bytes of ${digest} are damaged; push it again`)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
