// Ids of upload sessions. An id binds a session to its repository, and to who began it, without storing anything: it ends
// with a hash of both.

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Random } from '../ports/random.ts'
import type { RepositoryName } from '../protocol/names.ts'

/** Whose a session is: nobody else can use it, whatever rights they have. */
export interface UploadOwner {
  readonly name: RepositoryName
  /** Undefined: an anonymous client. */
  readonly user?: string | undefined
}

export function makeUploadId(owner: UploadOwner, random: Random): string {
  return `${random.uuid()}-${ownerMark(owner)}`
}

/** Whether a text can be the id of a session; what else lies among the sessions is not ours to remove. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f-]{36}-[0-9a-f]{16}$/.test(text)
}

export function belongsTo(owner: UploadOwner, id: string): boolean {
  return isUploadId(id) && id.endsWith(`-${ownerMark(owner)}`)
}

function ownerMark({ name, user }: UploadOwner): string {
  // No name has a space in it.
  const text = user === undefined ? name : `${name} ${user}`
  return bytesToHex(sha256(new TextEncoder().encode(text))).slice(0, 16)
}
