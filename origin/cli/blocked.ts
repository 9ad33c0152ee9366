// `mirrorball blocked`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { blockedLines } from '../verbs/blocking.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { givenOptions, optionArgs } from './options.ts'

export default defineCommand({
  meta: {
    name: 'blocked',
    description: 'Lists what is blocked: a digest or CID a line, since when, and why, with tabs between them.',
  },
  args: optionArgs,
  async run({ args }) {
    const config = await loadConfig({ options: givenOptions(args), environment: process.env })
    await runVerb(config, { writes: false }, async (run) => {
      for await (const line of blockedLines(run)) process.stdout.write(line)
    })
  },
})
