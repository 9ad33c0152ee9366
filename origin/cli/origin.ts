// `mirrorball origin`

import { defineCommand } from 'citty'
import { startOrigin } from '../process/origin.ts'
import { loadConfig } from '../config/load.ts'
import { runService } from '../process/service.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: { name: 'origin', description: 'Takes pushes and answers for everything.' },
  args: optionArgs,
  async run({ args }) {
    const config = await loadConfig({ options: givenOptions(args), environment: process.env })
    await runService(startOrigin, config)
  },
})
