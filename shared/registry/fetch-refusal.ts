// What a client is told that asked for content of IPFS in vain.

import { NotFoundOnIpfs, UnusableContent } from '../ipfs/content-errors.ts'
import { OciError } from '../protocol/errors.ts'
import { BlockedContent } from './blocked.ts'
import { NotTaken } from './checked-image.ts'
import { WrongContent } from './spool.ts'

/** @returns undefined where neither is the content at fault nor said everyone that there is none: something failed */
export function refusalOf(
  code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN',
  what: string,
  error: unknown,
): OciError | undefined {
  if (error instanceof NotFoundOnIpfs)
    return new OciError(code, `${what} is not here, and no source of IPFS has it (asked for ${error.waitedMs} ms)`)
  if (error instanceof BlockedContent) return error
  if (error instanceof OciError)
    return new OciError(code, `${what} has a manifest that cannot be taken: ${error.detail}`)
  if (error instanceof NotTaken || error instanceof UnusableContent || error instanceof WrongContent)
    return new OciError(code, `${what} cannot be taken from IPFS: ${error.message}`)
  return undefined
}
