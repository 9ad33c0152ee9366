// What a block says are the parts of a file; unchecked, for expecting them only.

import type { Cid } from '../../../shared/protocol/cid.ts'
import { decodeUnixfs } from '../../../shared/ipfs/unixfs-node.ts'
import { parseBlockName } from '../../../shared/ipfs/verify-block.ts'

/** The CIDs under a node of a file, in its order; none for anything else. */
export function fileLinks(cid: Cid, bytes: Uint8Array): readonly Cid[] {
  try {
    if (parseBlockName(cid).codec === 'raw') return []
    const { kind, links } = decodeUnixfs(bytes)
    return kind === 'file' ? links.filter(({ sizeBytes }) => sizeBytes > 0).map((link) => link.cid) : []
  } catch {
    return []
  }
}
