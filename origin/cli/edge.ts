// `mirrorball edge`

import { defineCommand } from 'citty'
import { startEdge } from '../process/edge.ts'
import { loadConfig } from '../config/load.ts'
import { runService } from '../process/service.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: {
    name: 'edge',
    description: 'Serves pulls: manifests from the bucket, blobs by redirect, the rest from the origin.',
  },
  args: optionArgs,
  async run({ args }) {
    const config = await loadConfig({ options: givenOptions(args), environment: process.env })
    await runService(startEdge, config)
  },
})
