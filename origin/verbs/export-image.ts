// Writes an image of the bucket into a file or a folder.

import { blobKey } from '../../shared/layout/keys.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import type { ImageRecord } from '../../shared/registry/image-record.ts'
import { layoutEntries } from '../image-files/layout-entries.ts'
import { writeWholeFile, writeWholeFolder } from '../image-files/whole-output.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { namedImage } from './named-image.ts'
import { mebibytes } from './progress.ts'
import type { VerbRun } from './run-verb.ts'

/** Returns the root. Rejects with an Error that says what to do; nothing is written then. */
export async function exportImage(
  run: VerbRun,
  name: string,
  path: string,
  rules: { readonly force: boolean },
): Promise<Cid> {
  const { bucket, wait } = run
  const { root, image } = await namedImage(run, name)
  await refuseMissing(run, name, image)
  if (path.endsWith('.car')) {
    const { carOfImage } = await import('../image-files/write-car.ts')
    const car = await carOfImage(bucket, image, wait)
    await writeWholeFile(path, counted(run, image, car.bytes), rules, wait)
    return car.root
  }
  const entries = layoutEntries({ bucket, hasher: nodeHasher }, image, wait)
  if (path.endsWith('.tar')) {
    const { tarOf } = await import('../image-files/write-tar.ts')
    await writeWholeFile(path, counted(run, image, tarOf(entries)), rules, wait)
  } else {
    const count = counter(run, image)
    await writeWholeFolder(path, countedEntries(entries, count), wait)
  }
  return root
}

/** Blobs of an image that came from IPFS may still be to come. */
async function refuseMissing({ bucket, wait }: VerbRun, name: string, image: ImageRecord): Promise<void> {
  const missing: string[] = []
  for (const { digest } of image.walk)
    if ((await bucket.head(blobKey(digest), wait)) === undefined) missing.push(digest)
  if (missing.length === 0) return
  throw new Error(
    `${name} lacks ${missing.length} part(s) here:\n  ${missing.join('\n  ')}\npush it again; or pull it once, where it came from IPFS`,
  )
}

function counter({ progress }: VerbRun, image: ImageRecord): (bytes: number) => void {
  const total = mebibytes(image.walk.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  let written = 0
  return (bytes) => {
    written += bytes
    progress.show(`written ${mebibytes(written)} of ${total}`)
  }
}

async function* counted(run: VerbRun, image: ImageRecord, bytes: AsyncIterable<Uint8Array>) {
  const count = counter(run, image)
  yield* countedBytes(bytes, count)
}

async function* countedBytes(bytes: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const chunk of bytes) {
    count(chunk.byteLength)
    yield chunk
  }
}

async function* countedEntries<Entry extends { readonly bytes: AsyncIterable<Uint8Array> }>(
  entries: AsyncIterable<Entry>,
  count: (bytes: number) => void,
) {
  for await (const entry of entries) yield { ...entry, bytes: countedBytes(entry.bytes, count) }
}
