// The identity of the embedded IPFS node: an Ed25519 key, kept so that peers who have its id in their configuration find
// the same node after a restart. In a file and never shared: two nodes of one identity would take each other's traffic.

import { basename, dirname } from 'node:path'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createFolderRecords } from './folder-records.ts'
import { randomKey } from './random-key.ts'

/**
 * The Ed25519 seed in `file`, 32 bytes, from which the key pair follows; it is made where it is missing. Processes that
 * start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export function swarmKey(file: string): Promise<Uint8Array> {
  return randomKey(createFolderRecords(dirname(file)), basename(file), unhurried)
}
