// `mirrorball swarm`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { runService } from '../process/service.ts'
import { startSwarmNode } from '../process/swarm.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: {
    name: 'swarm',
    description: 'Runs the embedded IPFS node alone: hands out the public images of the bucket, and speaks no HTTP.',
  },
  args: optionArgs,
  async run({ args }) {
    const config = await loadConfig({ options: givenOptions(args), environment: process.env })
    await runService(startSwarmNode, config)
  },
})
