// `mirrorball token list`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { listTokens, tokenLine } from '../verbs/tokens.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'list',
    description:
      'Lists personal access tokens, the oldest first: one a line, with its id, user, name, limits, when it was made, when it expires and when it was last used (to the hour), with tabs between them.',
  },
  args: {
    json: { type: 'boolean', description: 'Prints an array of JSON instead.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { options } = verbWords(args, { most: 0, own: ['json'] })
    const config = await loadConfig({ options, environment: process.env })
    const tokens = await listTokens(config, (message) => process.stderr.write(`mirrorball: ${message}\n`))
    process.stdout.write(args.json ? `${JSON.stringify(tokens, undefined, 2)}\n` : tokens.map(tokenLine).join(''))
  },
})
