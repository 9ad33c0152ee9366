// `mirrorball publish`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { publishImages } from '../verbs/publish-images.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'publish',
    description:
      'Brings IPFS in line with the bucket: images that have no CID get one, public ones are put on IPFS, and what is no longer public is taken off. May be run at any time.',
  },
  args: {
    name: { type: 'positional', required: false, description: 'A repository. Default: all.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 1, own: ['name'] })
    const config = await loadConfig({ options, environment: process.env })
    process.stdout.write(await runVerb(config, { writes: true }, (run) => publishImages(run, words[0])))
  },
})
