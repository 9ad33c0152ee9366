// Brings images into the bucket from IPFS: an image that was never seen here, by its root; and blobs that the bucket has
// lost. Everything is checked against its digest before it is published.

import { LRUCache } from 'lru-cache'
import { cidOfSmallBlob, leafBytes } from '../ipfs/cid.ts'
import { NotFoundOnIpfs, UnusableContent } from '../ipfs/content-errors.ts'
import { readLeaves } from '../ipfs/leaves.ts'
import { readRootedImage, type RootedImage } from '../ipfs/rooted-image.ts'
import type { VerifiedDag, VerifiedReader } from '../ipfs/verified-blocks.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Deadline } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../ports/or-aborted.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, digestOf } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { type Manifest, manifestLimitBytes, parseManifest } from '../protocol/manifest.ts'
import { walk, walkLimit } from '../protocol/walk.ts'
import { BlockedContent, refuseBlocked, refuseBlockedRoot, refuseMarked } from './blocked.ts'
import { keepFetched, writeFetched } from './content-view.ts'
import { createFlights, type FlightLimits } from './flights.ts'
import { type ImageRecord, readRoot, type RecordedDigest, writeImageRecord, writeRoot } from './image-record.ts'
import { heldBytes, type Spool, type SpoolDeps, startSpool, WrongContent } from './spool.ts'

/** A blob that is on its way here. */
export interface FetchedBlob {
  readonly sizeBytes: number
  /** Ends in an error where what comes is wrong. */
  readonly body: ReadableStream<Uint8Array>
}

/** A blob to fetch. */
export interface WantedBlob {
  /** Of an image that has the blob; undefined where it is only known by itself. */
  readonly root: Cid | undefined
  readonly digest: Digest
  /** Undefined where it is not known. */
  readonly sizeBytes: number | undefined
}

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

export interface FetchLimits extends FlightLimits {
  /** Bytes of all blobs of an image. */
  readonly imageBytes: number
}

/** Milliseconds for which a search that found nothing is not made again. */
const rememberMissMs = 60_000

/** Blobs named by the roots that are remembered between the blobs of a pull; each takes some 300 bytes. */
const rememberNames = 200_000

export function createImageFetcher(deps: FetchDeps): ImageFetcher {
  const { bucket, reader, clock, log, limits } = deps
  const flights = createFlights(clock, limits)
  const rooted = new LRUCache<Cid, RootedImage>({ maxSize: rememberNames, sizeCalculation: ({ count }) => count + 1 })
  const perf = { now: () => clock.now() }
  const misses = new LRUCache<string, OciError>({ max: 10_000, ttl: rememberMissMs, ttlResolution: 0, perf })
  /** What something was said to be called, and is not. With the size that was said, or a lie about that would do. */
  const lies = new LRUCache<string, true>({ max: 10_000 })

  /** What a root says, read once. */
  async function contentsOf(dag: VerifiedDag, root: Cid, limit: Deadline): Promise<RootedImage> {
    const contents = rooted.get(root) ?? (await readRootedImage(dag, root, limit))
    rooted.set(root, contents)
    limit.extend()
    return contents
  }

  /** What IPFS may call a blob, the likeliest first. */
  async function cidsOf(contents: RootedImage | undefined, { digest, sizeBytes }: Claim, wait: Wait) {
    const recorded = (await readLeaves(bucket, digest, wait))?.cid
    // Who has the root has what it names; that somebody has the blob as we would cut it is a guess.
    const cids = [...(contents?.cidsOf(digest) ?? []), recorded, cidOfSmallBlob(digest, sizeBytes ?? leafBytes)]
    return [...new Set(cids.filter((cid) => cid !== undefined))].filter(
      (cid) => !lies.has(`${digest} ${sizeBytes} ${cid}`),
    )
  }

  function sawLie({ digest, sizeBytes }: Claim, cid: Cid): void {
    log.warn('content of IPFS is not what it was said to be', { digest, sizeBytes, cid })
    lies.set(`${digest} ${sizeBytes} ${cid}`, true)
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
  async function fetchManifests(dag: VerifiedDag, contents: RootedImage, limit: Deadline): Promise<Manifests> {
    const manifests = new Map<Digest, FetchedManifest>()
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
    return firstThatDoes(contents, { digest, sizeBytes: undefined }, wait, async (cid) => {
      const { body } = await dag.file(cid, manifestLimitBytes, wait)
      const bytes = new Uint8Array(await new Response(body).arrayBuffer())
      const actual = await digestOf(bytes, algorithmOf(digest))
      if (actual !== digest) throw new WrongContent(digest, `has the digest ${actual}`)
      return bytes
    })
  }

  /** Goes on to the next name where one turns out wrong, or nobody has what it names. */
  async function firstThatDoes<Found>(
    contents: RootedImage | undefined,
    claim: Claim,
    wait: Wait,
    find: (cid: Cid) => Promise<Found>,
  ) {
    let last: unknown = new NotTaken(`lacks ${claim.digest}`)
    for (const cid of await cidsOf(contents, claim, wait)) {
      try {
        return await find(cid)
      } catch (error) {
        const isLie = error instanceof WrongContent || error instanceof UnusableContent
        if (isLie) sawLie(claim, cid)
        else if (!(error instanceof NotFoundOnIpfs)) throw error
        last = error
      }
    }
    throw last
  }

  /** Begins to bring a blob here, by the first of its names that does. Resolves once there is something to read. */
  async function fetchBlob({ root, digest, sizeBytes }: WantedBlob, limit: Deadline): Promise<SizedSpool> {
    const contents = root === undefined ? undefined : await rootContents(root, limit)
    const claim = { digest, sizeBytes }
    return firstThatDoes(contents, claim, limit, (cid) => spooled(root ?? cid, cid, claim, limit))
  }

  async function rootContents(root: Cid, limit: Deadline): Promise<RootedImage> {
    const dag = reader.open(root, limit)
    try {
      return await contentsOf(dag, root, limit)
    } finally {
      dag.close()
    }
  }

  /** Resolves once some of it may be read, or all is in the bucket: what is wrong before that, nobody has seen. */
  async function spooled(top: Cid, cid: Cid, claim: Claim, limit: Deadline): Promise<SizedSpool> {
    const { digest, sizeBytes } = claim
    const file = await reader.file({ top, cid, maxBytes: sizeBytes ?? limits.imageBytes }, limit)
    const begun = Promise.withResolvers<void>()
    const blob = { digest, sizeBytes: sizeBytes ?? file.sizeBytes }
    const onStored = (stored: number) => {
      limit.extend()
      if (stored > heldBytes) begun.resolve()
    }
    const spool = startSpool(deps, blob, file.body, onStored, limit)
    await Promise.race([begun.promise, spool.done])
    // From here on those who read along hear of it.
    spool.done.catch((error: unknown) => {
      if (error instanceof WrongContent || error instanceof UnusableContent) sawLie(claim, cid)
    })
    return { ...spool, sizeBytes: blob.sizeBytes }
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

    async blob(wanted, wait) {
      const { root, digest, sizeBytes } = wanted
      await refuseBlocked(bucket, [digest], wait)
      const fetching = flights.join(
        // Who was told another size must not fail with the one who believed it.
        `blob ${digest} ${sizeBytes}`,
        (limit) => fetchBlob(wanted, limit),
        ({ done }) => done,
      )
      try {
        const spool = await orAborted(wait.signal, fetching)
        return { sizeBytes: spool.sizeBytes, body: spool.read() }
      } catch (error) {
        throw refusalOf('BLOB_UNKNOWN', root ?? digest, error) ?? error
      }
    },
  }
}

/** What came from outside: an image whose parts were checked, and the bytes of its manifests. */
export interface CheckedImage {
  readonly image: ImageRecord
  readonly manifests: ReadonlyMap<Digest, Uint8Array<ArrayBuffer>>
}

/**
 * Keeps an image that came from outside, under its root. When it resolves the image has a view; its blobs may come later.
 * Rejects with BlockedContent where it was blocked meanwhile.
 * @param atMs ms since 1970
 */
export async function keepImage(
  bucket: Bucket,
  root: Cid,
  { image, manifests }: CheckedImage,
  atMs: number,
  wait: Wait,
): Promise<void> {
  for (const [digest, bytes] of manifests) {
    await bucket.write(blobKey(digest), bytes, wait)
    if (digest !== image.digest) await writeFetched(bucket, digest, atMs, wait)
  }
  await writeImageRecord(bucket, root, image, wait)
  if ((await readRoot(bucket, image.digest, wait)) === undefined) await writeRoot(bucket, image.digest, root, wait)
  // Last, as it makes the view.
  await keepFetched(bucket, { root, image }, atMs, wait)
}

/** What was said of a blob. */
type Claim = Omit<WantedBlob, 'root'>

interface SizedSpool extends Spool {
  readonly sizeBytes: number
}

export interface FetchedManifest {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly manifest: Manifest
}

type Manifests = ReadonlyMap<Digest, FetchedManifest>

/** Manifests of an image that is fetched: they are held until all of them are there. */
const manifestsLimit = 64

/** What was found, but cannot be taken. */
export class NotTaken extends Error {}

/** The image that these manifests make. @throws NotTaken where it is larger than the limits */
export function imageOf(top: Digest, manifests: Manifests, limits: Pick<FetchLimits, 'imageBytes'>): ImageRecord {
  const parsed = new Map([...manifests].map(([digest, { manifest }]) => [digest, manifest]))
  const walked = walk(top, parsed)
  const manifest = manifests.get(top)
  if (walked === undefined || manifest === undefined) throw new NotTaken(`has more than ${walkLimit} parts`)
  const said = new Map<Digest, number>()
  for (const { parts } of parsed.values()) for (const part of parts) said.set(part.digest, part.sizeBytes)
  const sized = walked.map((each): RecordedDigest => ({
    ...each,
    sizeBytes: manifests.get(each.digest)?.bytes.byteLength ?? said.get(each.digest) ?? 0,
  }))
  const total = sized.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (total > limits.imageBytes) throw new NotTaken(`has ${total} bytes, and ${limits.imageBytes} is the limit here`)
  return {
    digest: top,
    mediaType: manifest.manifest.mediaType,
    sizeBytes: manifest.bytes.byteLength,
    walk: sized,
  }
}

/** What to tell the client, where the content is at fault or nobody has it; undefined where something failed. */
function refusalOf(code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN', what: string, error: unknown): OciError | undefined {
  if (error instanceof NotFoundOnIpfs)
    return new OciError(code, `${what} is not here, and no source of IPFS has it (asked for ${error.waitedMs} ms)`)
  if (error instanceof BlockedContent) return error
  if (error instanceof OciError)
    return new OciError(code, `${what} has a manifest that cannot be taken: ${error.detail}`)
  if (error instanceof NotTaken || error instanceof UnusableContent || error instanceof WrongContent)
    return new OciError(code, `${what} cannot be taken from IPFS: ${error.message}`)
  return undefined
}
