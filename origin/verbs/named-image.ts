// The image that a person names to a verb, with its root.

import { type ImageReference, parseImageReference } from '../../shared/protocol/image-reference.ts'
import { type FoundImage, findImage, obtainRoot, type RootedImageRecord } from '../../shared/registry/find-image.ts'
import { missingParts } from '../../shared/registry/missing-parts.ts'
import { createPublisher } from '../../shared/registry/publish-image.ts'
import { embeddedStore } from '../ipfs/embedded-store.ts'
import type { VerbRun } from './run-verb.ts'

/** @throws Error that says how images are named */
export function parseImage(text: string): ImageReference {
  const parsed = parseImageReference(text)
  if (parsed !== undefined) return parsed
  throw new Error(
    `${JSON.stringify(text)} names no image; say name, name:tag, name@sha256:…, or a CID, without the registry’s host`,
  )
}

/** Records the root where that was not done yet. Rejects with an Error that says what is missing where there is none. */
export async function namedImage(run: VerbRun, text: string): Promise<RootedImageRecord> {
  const { bucket, access, log, progress, wait } = run
  const reference = parseImage(text)
  const found = await findImage(bucket, reference, wait)
  if (found === undefined) throw new Error(`there is no image ${text} in ${run.place}`)
  progress.show(`reading ${found.digest}`)
  // Puts nothing on IPFS: that is for pushes, and for `mirrorball publish`.
  const publisher = createPublisher({ bucket, access, log, store: embeddedStore, names: 'any' })
  const rooted = await obtainRoot(bucket, publisher, found, wait)
  if (rooted !== undefined) return rooted
  throw new Error(`${text} can have no CID:\n  ${(await faultsOf(run, found)).join('\n  ')}\npush what is missing`)
}

async function faultsOf({ bucket, wait }: VerbRun, { digest, holder }: FoundImage): Promise<readonly string[]> {
  if (holder === undefined) return [`what is known of ${digest} is damaged`]
  return missingParts(bucket, holder, digest, wait)
}
