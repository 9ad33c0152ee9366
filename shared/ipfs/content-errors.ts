// Why content of IPFS cannot be read, apart from sources that did not answer (UpstreamError('ipfs')).

import type { Cid } from '../protocol/cid.ts'

/** Every source that was asked for a block answered that it has none. */
export class NotFoundOnIpfs extends Error {
  override readonly name = 'NotFoundOnIpfs'
  readonly cid: Cid
  /** How long the sources were asked, in milliseconds. */
  readonly waitedMs: number

  constructor(cid: Cid, waitedMs: number) {
    super(`no source of IPFS has ${cid} (asked for ${waitedMs} ms)`)
    this.cid = cid
    this.waitedMs = waitedMs
  }
}

/** What a CID names is what its maker made, but not what may be read here: no file, over a limit, or contradicting itself. */
export class UnusableContent extends Error {
  override readonly name = 'UnusableContent'
  readonly cid: Cid

  constructor(cid: Cid, detail: string) {
    super(`${cid}: ${detail}`)
    this.cid = cid
  }
}
