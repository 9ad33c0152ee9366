// Brings images into the bucket from IPFS: an image that was never seen here, by its root; and blobs that the bucket has
// lost. Everything is checked against its digest before it is published.

import { LRUCache } from 'lru-cache'
import { readRootedImage, type RootedImage } from '../ipfs/rooted-image.ts'
import type { VerifiedDag, VerifiedReader } from '../ipfs/verified-blocks.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Deadline } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, digestOf } from '../protocol/digest.ts'
import type { OciError } from '../protocol/errors.ts'
import { manifestLimitBytes, parseManifest } from '../protocol/manifest.ts'
import { createBlobCids } from './blob-cids.ts'
import { BlockedContent, refuseBlocked, refuseBlockedRoot, refuseMarked } from './blocked.ts'
import {
  type CheckedManifest,
  type CheckedManifests,
  type ImageLimits,
  imageOf,
  keepImage,
  NotTaken,
} from './checked-image.ts'
import { createBlobFetcher, type FetchedBlob, type WantedBlob } from './fetch-blob.ts'
import { refusalOf } from './fetch-refusal.ts'
import { createFlights, type FlightLimits } from '../concurrency/flights.ts'
import { type SpoolDeps, WrongContent } from './spool.ts'

/**
 * Both reject with OciError where every source said that it has not, or what was asked for is not what a registry can
 * take, or is blocked here; with UpstreamError('ipfs') where a source did not answer.
 */
export interface ImageFetcher {
  /**
   * Fetches an image's manifests. When it resolves the image has a view; its blobs are still to come.
   * @param refusal is asked before a search that nobody has begun yet, and may refuse it
   */
  image(root: Cid, wait: Wait, refusal?: () => OciError | undefined): Promise<void>

  /** Fetches a blob from outside, whether the bucket has it or not; it is in the bucket once the stream has ended. */
  blob(wanted: WantedBlob, wait: Wait): Promise<FetchedBlob>
}

export interface FetchDeps extends SpoolDeps {
  readonly reader: VerifiedReader
  readonly log: Log
  readonly limits: FetchLimits
}

export type FetchLimits = FlightLimits & ImageLimits

/** Milliseconds for which a search that found nothing is not made again. */
const rememberMissMs = 60_000

/** Blobs named by the roots that are remembered between the blobs of a pull; each takes some 300 bytes. */
const rememberNames = 200_000

/** Manifests of an image that is fetched: they are held until all of them are there. */
const manifestsLimit = 64

export function createImageFetcher(deps: FetchDeps): ImageFetcher {
  const { bucket, reader, clock, log, limits } = deps
  const flights = createFlights(clock, limits)
  const cids = createBlobCids(deps)
  const rooted = new LRUCache<Cid, RootedImage>({ maxSize: rememberNames, sizeCalculation: ({ count }) => count + 1 })
  const perf = { now: () => clock.now() }
  const misses = new LRUCache<string, OciError>({ max: 10_000, ttl: rememberMissMs, ttlResolution: 0, perf })

  /** What a root says, read once. */
  async function contentsOf(dag: VerifiedDag, root: Cid, limit: Deadline): Promise<RootedImage> {
    const contents = rooted.get(root) ?? (await readRootedImage(dag, root, limit))
    rooted.set(root, contents)
    limit.extend()
    return contents
  }

  async function rootContents(root: Cid, limit: Deadline): Promise<RootedImage> {
    const dag = reader.open(root, limit)
    try {
      return await contentsOf(dag, root, limit)
    } finally {
      dag.close()
    }
  }

  async function fetchImage(root: Cid, limit: Deadline): Promise<void> {
    const dag = reader.open(root, limit)
    try {
      const contents = await contentsOf(dag, root, limit)
      const manifests = await fetchManifests(dag, contents, limit)
      const image = imageOf(contents.manifest, manifests, limits)
      await refuseBlocked(
        bucket,
        image.walk.map((each) => each.digest),
        limit,
      )
      const bytes = new Map([...manifests].map(([digest, each]) => [digest, each.bytes]))
      await keepImage(bucket, root, { image, manifests: bytes }, clock.now(), limit)
      log.info('fetched an image', { root, digest: image.digest })
    } finally {
      dag.close()
    }
  }

  /** All manifests of an image, each checked, the first its own. */
  async function fetchManifests(dag: VerifiedDag, contents: RootedImage, limit: Deadline): Promise<CheckedManifests> {
    const manifests = new Map<Digest, CheckedManifest>()
    const wanted = new Set([contents.manifest])
    // A set hands out what is added while it is gone through.
    for (const digest of wanted) {
      const bytes = await fetchManifest(dag, contents, digest, limit)
      limit.extend()
      const manifest = parseManifest(bytes, undefined)
      manifests.set(digest, { bytes, manifest: { ...manifest, annotations: undefined } })
      for (const part of manifest.parts) if (part.kind === 'manifest' && !part.hasUrls) wanted.add(part.digest)
      if (wanted.size > manifestsLimit) throw new NotTaken(`has more than ${manifestsLimit} manifests`)
    }
    return manifests
  }

  async function fetchManifest(dag: VerifiedDag, contents: RootedImage, digest: Digest, wait: Wait) {
    return cids.firstThatDoes(contents, { digest, sizeBytes: undefined }, wait, async (cid) => {
      const { body } = await dag.file(cid, manifestLimitBytes, wait)
      const bytes = new Uint8Array(await new Response(body).arrayBuffer())
      const actual = await digestOf(bytes, algorithmOf(digest))
      if (actual !== digest) throw new WrongContent(digest, `has the digest ${actual}`)
      return bytes
    })
  }

  return {
    async image(root, wait, refusal) {
      await refuseBlockedRoot(bucket, root, wait)
      const missed = misses.get(root)
      // What it was found to be made of may have been let back.
      if (missed instanceof BlockedContent) await refuseMarked(bucket, missed.what, wait)
      else if (missed !== undefined) throw missed
      const flight = `image ${root}`
      const refused = flights.isUnderWay(flight) ? undefined : refusal?.()
      if (refused !== undefined) throw refused
      try {
        await orAborted(
          wait.signal,
          flights.join(flight, (limit) => fetchImage(root, limit)),
        )
      } catch (error) {
        const refusal = refusalOf('MANIFEST_UNKNOWN', root, error)
        if (refusal !== undefined) misses.set(root, refusal)
        throw refusal ?? error
      }
    },

    blob: createBlobFetcher({ ...deps, cids, flights, contentsOf: rootContents, limitBytes: limits.imageBytes }),
  }
}
