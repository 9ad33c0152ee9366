// `mirrorball token create`

import { parseArgs } from 'node:util'
import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { createToken } from '../verbs/tokens.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'create',
    description:
      'Makes a personal access token and prints it, this once. A user of that name need not be there: a token of its own is all that a robot needs.',
  },
  args: {
    user: { type: 'string', description: 'Who signs in with it.' },
    name: { type: 'string', description: 'What it is for, as the list shows it.' },
    limit: {
      type: 'string',
      description:
        'What it may be used for, of what the user may do: PATTERN:RIGHTS, e.g. team/**:pull,push; the rights are pull, push, delete and fetch, and none is in another. May be given more than once. All unless given.',
    },
    'expires-days': { type: 'string', description: 'Days until it expires, or never. Default: 90.' },
    ...optionArgs,
  },
  async run({ args, rawArgs }) {
    const { options } = verbWords(args, { most: 0, own: ['user', 'name', 'limit', 'expires-days', 'expiresDays'] })
    const config = await loadConfig({ options, environment: process.env })
    const { text, about } = await createToken(config, {
      user: args.user,
      name: args.name,
      limits: everyLimit(rawArgs),
      expiresDays: args['expires-days'] ?? '90',
    })
    process.stderr.write(about)
    process.stdout.write(`${text}\n`)
  },
})

/** The parser of verbs keeps only the last of an option that is given more than once. */
function everyLimit(rawArgs: readonly string[]): string[] {
  const { values } = parseArgs({
    args: [...rawArgs],
    options: { limit: { type: 'string', multiple: true } },
    strict: false,
  })
  return (values.limit ?? []).map((value) => (typeof value === 'string' ? value : ''))
}
