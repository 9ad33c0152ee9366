// Configuration of all processes: one schema, from which come the parser, the environment variables, the command-line
// options, the table in docs/settings.md and the JSON Schema of the file. A new setting is one entry of its section's
// file; its rule is beside it, in rules.ts, or in shared/config/rules.ts where the worker checks the same.

import * as v from 'valibot'
import { path } from './rules.ts'
import { accessSection } from './sections/access.ts'
import { bucketSection } from './sections/bucket.ts'
import { edgeSection } from './sections/edge.ts'
import { httpSection } from './sections/http.ts'
import { ipfsSection } from './sections/ipfs.ts'
import { logSection } from './sections/log.ts'
import { originSection } from './sections/origin.ts'
import { pushSection } from './sections/push.ts'
import { setting } from './setting.ts'

export type { ListenAddress } from './rules.ts'

export const configSchema = v.strictObject({
  data_dir: setting(path, {
    default: './data',
    description: 'Folder for everything that is kept: the bucket, keys.',
  }),
  access: accessSection,
  push: pushSection,
  ipfs: ipfsSection,
  origin: originSection,
  bucket: bucketSection,
  edge: edgeSection,
  http: httpSection,
  log: logSection,
})

export type Config = Readonly<v.InferOutput<typeof configSchema>>
