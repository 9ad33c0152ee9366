// Which CIDs are read at all, and whether bytes are those that a CID names.

import { code as dagPbCode } from '@ipld/dag-pb'
import { code as rawCode } from 'multiformats/codecs/raw'
import { identity } from 'multiformats/hashes/identity'
import type { Cid } from '../protocol/cid.ts'
import { decodeCid } from './cid.ts'
import { UnusableContent } from './content-errors.ts'

/** A CID whose blocks can be checked. */
export interface BlockName {
  readonly cid: Cid
  readonly codec: 'raw' | 'dag-pb'
  readonly hash: { readonly name: 'SHA-256' | 'SHA-512'; readonly digest: Uint8Array } | undefined
  /** The block itself, where the CID holds it; then there is no hash. */
  readonly inlined: Uint8Array | undefined
}

const hashes = new Map([
  [0x12, { name: 'SHA-256', sizeBytes: 32 }],
  [0x13, { name: 'SHA-512', sizeBytes: 64 }],
] as const)

/** Bytes. What others inline as well; a longer one would be a way around the limits on blocks. */
const inlinedLimitBytes = 128

/** @throws UnusableContent for a codec or a hash function that is not read here */
export function parseBlockName(cid: Cid): BlockName {
  const { code, multihash } = decodeCid(cid)
  if (code !== rawCode && code !== dagPbCode) throw new UnusableContent(cid, `codec 0x${code.toString(16)} is not read`)
  const codec = code === rawCode ? 'raw' : 'dag-pb'
  if (multihash.code === identity.code) {
    if (multihash.digest.byteLength <= inlinedLimitBytes)
      return { cid, codec, hash: undefined, inlined: multihash.digest }
    throw new UnusableContent(cid, `it holds more than ${inlinedLimitBytes} bytes in itself`)
  }
  const hash = hashes.get(multihash.code as 0x12 | 0x13)
  // A shortened digest is easier to find a second block for.
  if (hash === undefined || multihash.digest.byteLength !== hash.sizeBytes)
    throw new UnusableContent(cid, `hash function 0x${multihash.code.toString(16)} of this length is not read`)
  return { cid, codec, hash: { name: hash.name, digest: multihash.digest }, inlined: undefined }
}

/** Whether `bytes` are the block that `name` names. */
export async function isBlock({ hash }: BlockName, bytes: Uint8Array): Promise<boolean> {
  if (hash === undefined) return false
  // The web's hashing takes no shared memory, and no source has any.
  const digest = new Uint8Array(await crypto.subtle.digest(hash.name, bytes as Uint8Array<ArrayBuffer>))
  return digest.every((byte, at) => byte === hash.digest[at])
}
