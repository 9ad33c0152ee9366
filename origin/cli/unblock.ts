// `mirrorball unblock`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { unblock } from '../verbs/blocking.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'unblock',
    description: 'Lets an image or a blob back that was blocked. It has to be pushed, fetched or imported again.',
  },
  args: {
    content: { type: 'positional', description: 'A digest, or the CID of an image.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 1, own: ['content'] })
    const config = await loadConfig({ options, environment: process.env })
    process.stdout.write(await runVerb(config, { writes: true }, (run) => unblock(run, words[0] ?? '')))
  },
})
