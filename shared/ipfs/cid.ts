// CIDs: between their text and the library's form of them, and those that follow from a digest alone.

import { bytesToHex } from '@noble/hashes/utils.js'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, hexOf, parseDigest } from '../protocol/digest.ts'

/** A CID in its canonical text. Version 0 becomes 1, which names the same node. */
export function cidText(cid: CID): Cid {
  return cid.toV1().toString() as Cid
}

/** A CID in any of its spellings, canonical; undefined where it is none. */
export function parseCid(text: string): Cid | undefined {
  try {
    return cidText(CID.parse(text))
  } catch {
    return undefined
  }
}

/** The library's form of a CID. */
export function decodeCid(cid: Cid): CID {
  return CID.parse(cid)
}

/** The CID of one raw block. @param hash its sha256, 32 bytes */
export function rawCid(hash: Uint8Array): CID {
  return CID.createV1(raw.code, create(sha256.code, hash))
}

/** The bytes of a digest. */
export function hashOf(digest: Digest): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hexOf(digest).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

/** The CID of a blob that is one raw block under its own digest: sha256, and no larger than a leaf. */
export function cidOfSmallBlob(digest: Digest, sizeBytes: number): Cid | undefined {
  return algorithmOf(digest) === 'sha256' && sizeBytes <= leafBytes ? cidText(rawCid(hashOf(digest))) : undefined
}

/** The blob whose one leaf a CID names; undefined where it names something else. */
export function blobOfRawCid(cid: Cid): Digest | undefined {
  const { code, multihash } = decodeCid(cid)
  if (code !== raw.code || multihash.code !== sha256.code) return undefined
  return parseDigest(`sha256:${bytesToHex(multihash.digest)}`)
}

/** Bytes of a file in one leaf (profile unixfs-v1-2025, IPIP-499); the last has what is left. */
export const leafBytes = 1024 * 1024
