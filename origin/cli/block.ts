// `mirrorball block`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { block } from '../verbs/blocking.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'block',
    description:
      'Takes an image or a blob down: it is served, pushed and fetched no more, and every tag of it is gone. Its bytes stay. May be run again.',
  },
  args: {
    content: { type: 'positional', description: 'A digest, or the CID of an image, which need not be here.' },
    reason: { type: 'string', description: 'Told to clients that ask for it or push it.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 1, own: ['content', 'reason'] })
    const config = await loadConfig({ options, environment: process.env })
    process.stdout.write(await runVerb(config, { writes: true }, (run) => block(run, words[0] ?? '', args.reason)))
  },
})
