// `mirrorball token rotate-key`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { rotateKey } from '../verbs/rotate-key.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'rotate-key',
    description:
      'Has a new key sign what clients sign in with, and prints its id. What the one before signed stays good for ten minutes; who stayed signed in for longer signs in again.',
  },
  args: {
    lost: {
      type: 'boolean',
      description: 'The key is in wrong hands: nothing that it signed is good any more; at edges after a minute.',
    },
    ...optionArgs,
  },
  async run({ args }) {
    const { options } = verbWords(args, { most: 0, own: ['lost'] })
    const config = await loadConfig({ options, environment: process.env })
    process.stdout.write(await runVerb(config, { writes: true }, (run) => rotateKey(run, args.lost === true)))
  },
})
