// The place where accounts are kept: small named texts, some of them secret. All origins of one bucket need the same.
//
// Adapters: folder-records.ts, bucket-records.ts. Both pass test/contract/records.contract.ts. Each call rejects with its
// signal's reason once that is aborted.

import type { Wait } from '../../shared/ports/bucket.ts'

export interface Records {
  /** Where a record is, for people. */
  where(name: string): string

  /** Rejects with SealedRecordError where there is one that cannot be opened. */
  read(name: string, wait: Wait): Promise<string | undefined>

  /**
   * Writes a record where there is none. When it resolves the record is there for good. Rejects with SealedRecordError
   * where there is one that cannot be opened.
   * @returns false where there is one already; it stays as it is. One of the same text may pass for the one that was written
   */
  create(name: string, text: string, wait: Wait): Promise<boolean>

  /** Writes a record, also where there is one. Whoever reads it has the old text or the new one, also after a crash. */
  replace(name: string, text: string, wait: Wait): Promise<void>

  /** When it resolves the record is gone for good. @returns whether it was there */
  remove(name: string, wait: Wait): Promise<boolean>

  /** Names of the records directly in a folder, without it, in no order. */
  names(folder: string, wait: Wait): Promise<readonly string[]>
}

/** A record that was sealed with another key, or for another place, or is damaged. */
export class SealedRecordError extends Error {
  override readonly name = 'SealedRecordError'

  constructor(where: string) {
    super(`${where} cannot be opened: it was sealed with another origin.key, or is damaged`)
  }
}

/** The key that tokens are signed with. */
export const tokenKeyName = 'token-key.json'

/** The key of the URLs by which clients of edges upload to the origin. */
export const uploadKeyName = 'upload-key'

/** The key by which the origin knows its edges. */
export const edgeKeyName = 'edge-key'

/** The key with which credentials of passwords are named. */
export const credentialKeyName = 'credential-key'

/** The folder of personal access tokens. */
export const tokensFolder = 'tokens'
