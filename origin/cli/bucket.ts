// `mirrorball bucket`

import { defineCommand } from 'citty'
import { startBucket } from '../process/bucket.ts'
import { loadConfig } from '../config/load.ts'
import { runService } from '../process/service.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: { name: 'bucket', description: 'Hands out blobs from the bucket folder by signed URLs.' },
  args: optionArgs,
  async run({ args }) {
    const config = await loadConfig({ options: givenOptions(args), environment: process.env })
    await runService(startBucket, config)
  },
})
