// `mirrorball up`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { runService } from '../process/service.ts'
import { startAll } from '../process/up.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: { name: 'up', description: 'Runs bucket, origin and edge together (what `npm start` does).' },
  args: optionArgs,
  async run({ args }) {
    const options = givenOptions(args)
    const config = await loadConfig({ options, environment: process.env })
    await runService(() => startAll({ config, options, say: (text) => process.stdout.write(text) }), config)
  },
})
