// A trustless HTTP gateway as a source of blocks (IPFS specifications, "Trustless Gateway"): single blocks raw, and the
// parts of a file by one CAR of it. It parses what it gets to know what belongs to which file; checking is the reader's.

import type { BlockReader, BlockSource } from '../../../shared/ports/block-source.ts'
import { blockLimitBytes } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { type CarFile, createCarFile } from './car-file.ts'
import { fileLinks } from './file-links.ts'
import { type AnswerLimits, getLimited } from './limited-answer.ts'

export interface GatewayOptions extends AnswerLimits {
  /** Where `/ipfs/` is, without credentials. */
  readonly url: URL
}

/** Files of which parts are still expected in one read; that many CARs may be open. */
const filesLimit = 4

/** What a gateway answers where it does not have a block. */
const none = [404, 410]

export function createGatewaySource({ url, ...limits }: GatewayOptions): BlockSource {
  const base = url.href.replace(/\/?$/, '/')
  const address = (cid: Cid, query: string) => new URL(`${base}ipfs/${cid}?${query}`)

  async function raw(cid: Cid, wait: Wait): Promise<Uint8Array | undefined> {
    const answer = await getLimited(address(cid, 'format=raw'), 'application/vnd.ipld.raw', limits, wait)
    try {
      if (none.includes(answer.status)) {
        await answer.skip()
        return undefined
      }
      if (answer.status !== 200) throw new UpstreamError('ipfs', `${url.host} answered ${answer.status}`)
      if (!/^application\/vnd\.ipld\.raw\b/.test(answer.contentType))
        throw new UpstreamError('ipfs', `${url.host} sent no block but ${answer.contentType || 'something'}`)
      const chunks: Uint8Array[] = []
      let sizeBytes = 0
      for (let chunk = await answer.read(); chunk !== undefined; chunk = await answer.read()) {
        chunks.push(chunk)
        sizeBytes += chunk.byteLength
        if (sizeBytes > blockLimitBytes)
          throw new UpstreamError('ipfs', `${url.host} sent more than ${blockLimitBytes} bytes as a block`)
      }
      return joined(chunks, sizeBytes)
    } finally {
      answer.cancel()
    }
  }

  function open(): BlockReader {
    const closed = new AbortController()
    /** Files whose parts are expected, the one that was asked for last at the end. */
    let files: CarFile[] = []
    let hasCars = true

    /** Where a block is a node of a file, expects its parts in one CAR, which is asked for once the first of them is. */
    function expectParts(cid: Cid, bytes: Uint8Array, file: CarFile | undefined): void {
      const parts = fileLinks(cid, bytes)
      if (file !== undefined) return file.expect(parts)
      if (parts.length === 0 || !hasCars) return
      const accept = 'application/vnd.ipld.car; version=1; order=dfs; dups=y'
      const query = 'format=car&dag-scope=all'
      const opened = createCarFile(() => getLimited(address(cid, query), accept, limits, { signal: closed.signal }))
      opened.expect(parts)
      files.push(opened)
      for (const oldest of files.splice(0, files.length - filesLimit)) oldest.close()
    }

    return {
      async block(cid, wait) {
        files = files.filter(({ ended }) => !ended)
        const file = files.find((each) => each.expects(cid))
        const part = await file?.part(cid, wait)
        if (part !== undefined) return part
        // It was refused or cut short, as the next one would be.
        if (file?.ended === true) hasCars = false
        const bytes = await raw(cid, { signal: AbortSignal.any([wait.signal, closed.signal]) })
        if (bytes !== undefined) expectParts(cid, bytes, file)
        return bytes
      },
      close() {
        closed.abort(new UpstreamError('ipfs', `the read from ${url.host} was closed`))
        for (const file of files.splice(0)) file.close()
      },
    }
  }

  return { name: url.host, open }
}

/** In memory of their own, which a consumer may give away. */
function joined(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes)
  let filled = 0
  for (const chunk of chunks) {
    whole.set(chunk, filled)
    filled += chunk.byteLength
  }
  return whole
}
