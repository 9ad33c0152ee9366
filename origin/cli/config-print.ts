// `mirrorball config print`

import { defineCommand } from 'citty'
import { readConfig } from '../config/load.ts'
import { printedConfig } from '../config/print.ts'
import { configSchema } from '../config/schema.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: {
    name: 'print',
    description:
      'Prints the configuration in effect as YAML. A comment says of each value whether it is from an option, a variable, the file or the default. Secrets are hidden. Takes the options of the other verbs.',
  },
  args: optionArgs,
  async run({ args }) {
    const loaded = await readConfig(configSchema, { options: givenOptions(args), environment: process.env })
    process.stdout.write(printedConfig(configSchema, loaded))
  },
})
