// `mirrorball token revoke`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { revokeToken } from '../verbs/tokens.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'revoke',
    description:
      'Ends a personal access token: nobody signs in with it any more, and what was signed in with it ends within minutes.',
  },
  args: {
    id: { type: 'positional', description: 'Its id, as the list shows it; or the token itself.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 1, own: ['id'] })
    const config = await loadConfig({ options, environment: process.env })
    process.stdout.write(await revokeToken(config, words[0] ?? ''))
  },
})
