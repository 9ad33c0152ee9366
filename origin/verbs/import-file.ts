// Takes an image from a file into the bucket.

import { type Digest, parseDigest } from '../../shared/protocol/digest.ts'
import { isContentName } from '../../shared/protocol/names.ts'
import { OciError } from '../../shared/protocol/errors.ts'
import { BadImage } from '../../shared/registry/image-source.ts'
import {
  type ImportDeps,
  type ImportedImage,
  importImage,
  type ImportTarget,
} from '../../shared/registry/import-image.ts'
import { createImmutableTags } from '../../shared/registry/immutable-tags.ts'
import { createPublisher } from '../../shared/registry/publish-image.ts'
import { openImageFile } from '../image-files/open-image-file.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { contentStoreOf } from '../compose/ipfs.ts'
import { parseImage } from './named-image.ts'
import { mebibytes } from './progress.ts'
import type { VerbRun } from './run-verb.ts'
import { systemClock, systemRandom } from '../compose/system-ports.ts'

export interface ImportChoices {
  /** As it was typed. */
  readonly target: string | undefined
  readonly digest: string | undefined
}

/** Rejects with an Error that says what is wrong; nothing was changed then. */
export async function importFile(run: VerbRun, path: string, choices: ImportChoices): Promise<ImportedImage> {
  const { config, bucket, access, log, progress, wait } = run
  const target = choices.target === undefined ? undefined : parseTarget(choices.target)
  const chosen = choices.digest === undefined ? undefined : parseChosen(choices.digest)
  const isPublished = config.ipfs.backend !== 'off'
  const publisher = isPublished
    ? createPublisher({ bucket, access, log, store: await contentStoreOf(config), names: config.push.names })
    : undefined
  const deps: ImportDeps = {
    bucket,
    uploads: run.uploads,
    hasher: nodeHasher,
    random: systemRandom,
    clock: systemClock,
    push: {
      allowSparse: config.push.allow_sparse,
      publisher,
      immutable: createImmutableTags(access.immutableTags ?? []),
    },
    imageBytes: config.ipfs.fetch_limit_gib * 1024 ** 3,
    onProgress: ({ bytes, ofBytes }) => progress.show(`read ${mebibytes(bytes)} of ${mebibytes(ofBytes)}`),
  }
  try {
    const file = await openImageFile(path, chosen, systemClock, wait)
    try {
      return await importImage(deps, file.source, target, wait)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof BadImage) throw new Error(`${path} cannot be imported: ${error.message}`, { cause: error })
    if (error instanceof OciError) throw new Error(`${path} cannot be imported: ${error.detail}`, { cause: error })
    throw error
  }
}

function parseTarget(text: string): ImportTarget {
  const { name, reference } = parseImage(text)
  if (reference.kind === 'digest') throw new Error(`${text} names an image by its digest; say name or name:tag`)
  if (isContentName(name))
    throw new Error(`${name} is a content name, which nobody pushes to; leave it out, and the image gets its own`)
  return { name, tag: reference.tag }
}

function parseChosen(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === undefined) throw new Error(`--digest: must be a digest, e.g. sha256:…; got ${JSON.stringify(text)}`)
  return digest
}
