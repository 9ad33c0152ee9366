// Where a client can fetch an object's bytes itself. Apart from the bucket, because what reads a bucket (a folder, a
// binding, HTTP) and what a client is sent to are different things.

import type { Key } from '../layout/keys.ts'

export interface ObjectLinks {
  /** An absolute URL that answers GET and Range for some time, to whoever holds it. */
  link(key: Key): Promise<string>
}
