// Whether clients get what is in the bucket, and only they: a blob by its redirect, and a tag that moves.

import { accessKey, blobKey, layerLinkKey, linkContent, revisionLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { pause } from '../../shared/concurrency/deadline.ts'
import type { Random } from '../../shared/ports/random.ts'
import { type Digest, digestOf } from '../../shared/protocol/digest.ts'
import { parseTag, type RepositoryName } from '../../shared/protocol/names.ts'
import { type Ask, summaryOf } from './ask.ts'
import { type Check, type Finding, reasonOf } from './check.ts'
import type { Place } from './network-checks.ts'
import type { Scratch } from './scratch.ts'
import type { Visitor } from './visitor.ts'

/** Where what the checks write is, while they run. */
export const probeRepository = 'mirrorball/doctor' as RepositoryName

export interface PullProbes {
  readonly edge: Place
  /** As any client asks: nothing is trusted but what everybody trusts. */
  readonly ask: Ask
  /** Addresses of the bucket, ours and that of clients. */
  readonly bucketUrls: readonly string[]
  /** What every key in the bucket begins with. */
  readonly prefix: string
  readonly scratch: Scratch
  readonly visitor: Visitor
  readonly clock: Clock
  readonly random: Random
}

/** Milliseconds within which an edge must answer a tag anew: what is read from the bucket each time takes none. */
const freshWithinMs = 5_000

const nobodyMay: Finding = { skipped: `nobody may pull from ${probeRepository} that we could ask as` }

export function pullChecks(probes: PullProbes): readonly Check[] {
  const { edge, ask, scratch, visitor, clock, random } = probes
  const bytes = new TextEncoder().encode(`A blob of mirrorball doctor: ${random.uuid()}`)
  /** Where the edge sends clients for the blob; undefined: nowhere. */
  let location: string | undefined
  return [
    {
      name: 'edge-blob',
      why: 'no image can be pulled',
      mend: 'see that the edge reads the bucket that the origin writes: bucket.* at an edge on Node, the binding BUCKET or BUCKET_URL at a worker',
      needs: ['edge-live', 'bucket-write'],
      follows: ['edge-ready', 'access-rules', 'token-keys', 'bucket-read'],
      async run(wait) {
        const headers = await visitor.headersFor(probeRepository, 'pull')
        if (headers === undefined) return nobodyMay
        const digest = await digestOf(bytes)
        await scratch.write(blobKey(digest), bytes, wait)
        await scratch.write(layerLinkKey(probeRepository, digest), linkContent(digest), wait)
        const reply = await edge.ask(`${edge.url}/v2/${probeRepository}/blobs/${digest}`, wait, { headers })
        if (reply.status === 307) {
          location = reply.headers.get('Location') ?? ''
          return { ok: `a blob is redirected to ${new URL(location).origin}` }
        }
        if (reply.status !== 200) return { fault: `a blob that is in the bucket was answered ${summaryOf(reply)}` }
        return isSame(reply.bytes, bytes)
          ? { ok: 'the edge sends blobs itself' }
          : { fault: 'a blob came with other bytes' }
      },
    },
    {
      name: 'bucket-closed',
      why: 'whoever knows the address reads everything: private images, names of users, and what was deleted from the registry but not from caches',
      mend: 'switch off public access to the bucket (on R2: r2.dev and custom domains; on S3: the bucket policy)',
      needs: ['bucket'],
      async run(wait) {
        const replies = await unsigned(probes, location, wait)
        const open = replies.filter(({ status }) => status >= 200 && status < 300)
        if (open.length > 0) return { fault: `read without a signature: ${open.map(({ url }) => url).join(', ')}` }
        return replies.length === 0 ? { skipped: 'no address of it answers' } : { ok: 'unsigned requests are refused' }
      },
    },
    {
      name: 'redirect',
      why: 'clients are sent there for layers, and get none',
      mend: 'set bucket.url (a worker’s BUCKET_URL) to the bucket’s address as clients everywhere reach it',
      needs: ['edge-blob'],
      follows: ['tls'],
      async run(wait) {
        if (location === undefined) return { skipped: 'the edge sends blobs itself' }
        let reply
        try {
          reply = await ask(location, wait)
        } catch (error) {
          return { fault: `the edge sends clients to where they get no answer: ${reasonOf(error)}` }
        }
        if (reply.status !== 200)
          return {
            fault: `${new URL(location).origin} answers a URL that the edge signed with ${reply.status}`,
            mend: 'give the edge a key that may read the bucket (bucket.access_key_id and its secret; BUCKET_ACCESS_KEY_ID and BUCKET_SECRET_ACCESS_KEY at a worker), the right region, and an address that no proxy changes: the signature covers Host',
          }
        return isSame(reply.bytes, bytes) ? { ok: 'the blob came whole' } : { fault: 'the blob came with other bytes' }
      },
    },
    {
      name: 'signature',
      why: 'who has one URL, or makes one up, reads everything in the bucket',
      mend: 'let nothing in front of the bucket answer for it: no cache and no proxy that signs by itself',
      needs: ['redirect'],
      follows: ['bucket-closed'],
      async run(wait) {
        const forged = location?.replace(/(X-Amz-Signature=)[\da-f]{8}/, '$100000000')
        if (forged === undefined || forged === location) return { skipped: 'the redirect has no signature' }
        const { status } = await ask(forged, wait)
        return status >= 200 && status < 300
          ? { fault: `a forged signature was answered ${status}` }
          : { ok: 'a forged one is refused' }
      },
    },
    {
      name: 'edge-fresh',
      why: 'clients go on getting the image from before a push',
      mend: 'let nothing between clients, edge and bucket keep what says Cache-Control: no-store or no-cache; see that edge and origin have the same bucket',
      needs: ['edge-blob'],
      async run(wait) {
        const headers = await visitor.headersFor(probeRepository, 'pull')
        const tag = parseTag(`probe-${random.uuid()}`)
        if (headers === undefined || tag === undefined) return nobodyMay
        const url = `${edge.url}/v2/${probeRepository}/manifests/${tag}`
        const answered = async () => (await edge.ask(url, wait, { headers })).headers.get('Docker-Content-Digest')
        const [before, after] = [await manifest(probes, wait), await manifest(probes, wait)]
        await scratch.write(tagLinkKey(probeRepository, tag), linkContent(before), wait)
        if ((await answered()) !== before) return { fault: 'a tag that was just written is not there' }
        await scratch.write(tagLinkKey(probeRepository, tag), linkContent(after), wait)
        const began = clock.now()
        while ((await answered()) !== after) {
          if (clock.now() - began > freshWithinMs)
            return { fault: `a tag that moved is still answered as before, ${freshWithinMs / 1000} s later` }
          await pause(clock, 200, wait.signal)
        }
        return { ok: `a tag that moved is answered anew, ${clock.now() - began} ms later` }
      },
    },
  ]
}

/** Writes one that is like no other. */
async function manifest({ scratch, random }: PullProbes, wait: Wait): Promise<Digest> {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const text = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [], annotations: { probe: random.uuid() } })
  const bytes = new TextEncoder().encode(text)
  const digest = await digestOf(bytes)
  await scratch.write(blobKey(digest), bytes, wait)
  await scratch.write(revisionLinkKey(probeRepository, digest), linkContent(digest), wait)
  return digest
}

/** What is answered to requests that should be signed, where anything is. */
async function unsigned({ ask, bucketUrls, prefix }: PullProbes, location: string | undefined, wait: Wait) {
  // A redirect without a signature leads to a host that is meant to serve blobs to everyone.
  const blob = location?.includes('X-Amz-Signature=') === true ? [location.replace(/\?.*/, '')] : []
  const urls = bucketUrls.flatMap((url) => [`${url}/${prefix}${accessKey}`, `${url}?list-type=2&max-keys=1`])
  const replies = await Promise.all(
    [...urls, ...blob].map(async (url) => {
      const reply = await ask(url, wait).catch(() => undefined)
      return reply === undefined ? [] : [{ url, status: reply.status }]
    }),
  )
  wait.signal.throwIfAborted()
  return replies.flat()
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.from(one).equals(other)
}
