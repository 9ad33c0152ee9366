// Takes content down and lets it back, as the operator asks for it.

import { blobOfRawCid, parseCid } from '../../shared/ipfs/cid.ts'
import { parseDigest } from '../../shared/protocol/digest.ts'
import { parseRootCid } from '../../shared/protocol/names.ts'
import { type Blockable, listMarks, nameOf, readMark, reasonLimitBytes } from '../../shared/registry/blocked.ts'
import { blockContent, unblockContent } from '../../shared/registry/block-content.ts'
import { contentStoreOf } from '../compose/ipfs.ts'
import type { VerbRun } from './run-verb.ts'
import { systemClock } from '../compose/system-ports.ts'

/** Returns what was done. */
export async function block(run: VerbRun, text: string, reason: string | undefined): Promise<string> {
  const { config, bucket, progress, wait } = run
  const what = parseBlockable(text)
  if (reason !== undefined && Buffer.byteLength(reason) > reasonLimitBytes)
    throw new Error(`--reason: must have at most ${reasonLimitBytes} bytes`)
  const { marked, repositories, images } = await blockContent(
    {
      bucket,
      store: await contentStoreOf(config),
      clock: systemClock,
      onProgress: (looked) =>
        progress.show(`looked through ${looked.repositories} repositories and ${looked.images} images`),
    },
    what,
    reason,
    wait,
  )
  const names = marked.map((each) => `blocked ${nameOf(each)}\n`).join('')
  return `${names}taken from ${repositories} repositories and ${images} images on IPFS\n`
}

/** Returns what was done. */
export async function unblock({ bucket, wait }: VerbRun, text: string): Promise<string> {
  const removed = await unblockContent(bucket, parseBlockable(text), wait)
  if (removed.length === 0) throw new Error(`${text} is not blocked; mirrorball blocked lists what is`)
  return removed.map((each) => `unblocked ${nameOf(each)}\n`).join('')
}

/** One line for everything that is blocked. */
export async function* blockedLines({ bucket, wait }: VerbRun): AsyncIterable<string> {
  for await (const each of listMarks(bucket, wait)) {
    const mark = await readMark(bucket, each, wait)
    if (mark !== undefined) yield `${nameOf(each)}\t${mark.at}\t${mark.reason?.replaceAll(/\s+/g, ' ') ?? ''}\n`
  }
}

/** @throws Error that says what can be blocked */
function parseBlockable(text: string): Blockable {
  const digest = parseDigest(text)
  if (digest !== undefined) return { kind: 'digest', digest }
  const cid = parseCid(text.replace(/^\/ipfs\//, ''))
  const root = cid && parseRootCid(cid)
  if (root !== undefined) return { kind: 'root', root }
  const blob = cid && blobOfRawCid(cid)
  if (blob !== undefined) return { kind: 'digest', digest: blob }
  throw new Error(
    `${JSON.stringify(text)} can not be blocked; say a digest (sha256:…), or the CID of an image (bafybei…); mirrorball cid prints it`,
  )
}
