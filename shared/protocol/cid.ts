// IPFS content identifiers, as far as text goes. What needs their bytes is in shared/ipfs.

import type { Brand } from './brand.ts'

/** A CID in its canonical text: version 1, base32, lower case. */
export type Cid = Brand<string, 'Cid'>
