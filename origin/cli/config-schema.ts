// `mirrorball config schema`

import { defineCommand } from 'citty'
import { configJsonSchema } from '../config/json-schema.ts'
import { configSchema } from '../config/schema.ts'

export default defineCommand({
  meta: {
    name: 'schema',
    description: 'Prints the JSON Schema (draft 7) of the configuration file, for editors and checks.',
  },
  run({ rawArgs }) {
    if (rawArgs.length > 0) throw new Error(`config schema takes no options, and was given ${rawArgs.join(' ')}`)
    process.stdout.write(`${JSON.stringify(configJsonSchema(configSchema), undefined, 2)}\n`)
  },
})
