// `mirrorball cid`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { namedImage } from '../verbs/named-image.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'cid',
    description:
      'Prints the CID of an image in the bucket. One that has none yet, because it was pushed to a registry without IPFS, gets it.',
  },
  args: {
    image: { type: 'positional', description: 'name, name:tag (default: latest), name@digest, or a content name.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 1, own: ['image'] })
    const config = await loadConfig({ options, environment: process.env })
    const { root } = await runVerb(config, { writes: false }, (run) => namedImage(run, words[0] ?? ''))
    process.stdout.write(`${root}\n`)
  },
})
