// An image in a CAR: one whose root is of ours, of Forta's Disco, or an OCI image layout.

import { cidOfSmallBlob } from '../../shared/ipfs/cid.ts'
import { NotFoundOnIpfs, UnusableContent } from '../../shared/ipfs/content-errors.ts'
import { readRootedImage } from '../../shared/ipfs/rooted-image.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { parseRootCid } from '../../shared/protocol/names.ts'
import { BadImage, type ImageSource } from '../../shared/registry/image-source.ts'
import type { CarFile } from './car-blocks-file.ts'

/** Rejects with BadImage. */
export async function carSource(car: CarFile, clock: Clock, wait: Wait): Promise<ImageSource> {
  const [first, ...others] = car.roots
  const root = first && parseRootCid(first)
  if (root === undefined || others.length > 0)
    throw new BadImage(`the CAR has ${car.roots.length} root(s); an image is one whose CID begins with bafybei`)
  const wrong = new Set<string>()
  const log: Log = { info() {}, warn: (_, { cid }) => void wrong.add(String(cid)), error() {} }
  const reader = createVerifiedReader({ sources: [car.source], clock, log })

  const explained = (error: unknown) => {
    wait.signal.throwIfAborted()
    return asBadImage(error, wrong)
  }

  const dag = reader.open(root, wait)
  const contents = await readRootedImage(dag, root, wait).catch((error: unknown) => {
    throw explained(error)
  })
  dag.close()

  /** Verified bytes of a file in the CAR. */
  async function openFile(cid: Cid, maxBytes: number, wait: Wait): Promise<ReadableStream<Uint8Array>> {
    async function* chunks() {
      try {
        yield* (await reader.file({ top: cid, cid, maxBytes }, wait)).body
      } catch (error) {
        throw explained(error)
      }
    }
    return ReadableStream.from(chunks())
  }

  return {
    manifest: contents.manifest,
    sizeBytes: undefined,
    root,
    async copiesOf(digest, limitBytes) {
      const cids = [...contents.cidsOf(digest), cidOfSmallBlob(digest, 0)].filter((cid) => cid !== undefined)
      return [...new Set(cids)]
        .filter((cid) => car.has(cid))
        .map((cid) => (wait: Wait) => openFile(cid, limitBytes, wait))
    },
  }
}

function asBadImage(error: unknown, wrong: ReadonlySet<string>): unknown {
  if (error instanceof NotFoundOnIpfs) return new BadImage(`the CAR lacks the block ${error.cid}`)
  if (error instanceof UnusableContent) return new BadImage(error.message)
  if (error instanceof UpstreamError && wrong.size > 0)
    return new BadImage(`the CAR has wrong bytes for the block ${[...wrong].join(', ')}`)
  return error
}
