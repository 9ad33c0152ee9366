// Digests: `<algorithm>:<hex>`. Source: OCI image-spec 1.1, "Digests"; sha256 and sha512 are the registered algorithms.

import { bytesToHex } from '@noble/hashes/utils.js'
import type { Brand } from './brand.ts'

/** A well-formed digest of an algorithm we can verify, e.g. `sha256:e3b0…b855`. */
export type Digest = Brand<string, 'Digest'>

const algorithms = {
  sha256: { hexLength: 64, webCryptoName: 'SHA-256' },
  sha512: { hexLength: 128, webCryptoName: 'SHA-512' },
} as const

export type DigestAlgorithm = keyof typeof algorithms

/** The digest in `text`, or undefined where it is none: another algorithm, another length, upper case. */
export function parseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(':')
  const algorithm = parseAlgorithm(text.slice(0, Math.max(colon, 0)))
  const hex = text.slice(colon + 1)
  if (algorithm === undefined || hex.length !== algorithms[algorithm].hexLength || !/^[0-9a-f]+$/.test(hex))
    return undefined
  return text as Digest
}

/** The algorithm called `text`, or undefined where we do not know it. */
export function parseAlgorithm(text: string): DigestAlgorithm | undefined {
  return Object.hasOwn(algorithms, text) ? (text as DigestAlgorithm) : undefined
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm
}

/** The part behind the colon, lower-case hex. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** A digest from an algorithm and the hex that hashing with it gave. */
export function digestFrom(algorithm: DigestAlgorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest
}

/** The digest of bytes that are held whole. Streams are hashed by the Hasher port. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>, algorithm: DigestAlgorithm = 'sha256'): Promise<Digest> {
  const hash = await crypto.subtle.digest(algorithms[algorithm].webCryptoName, bytes)
  return digestFrom(algorithm, bytesToHex(new Uint8Array(hash)))
}
