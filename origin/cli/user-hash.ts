// `mirrorball user hash`

import { defineCommand } from 'citty'
import { checkedUserName, passwordLine } from '../verbs/password-line.ts'
import { readPassword } from '../verbs/read-password.ts'

export default defineCommand({
  meta: {
    name: 'hash',
    description:
      'Prints a line for the file of users (access.htpasswd): the name and an argon2id hash of the password, which is asked for twice, or read from standard input.',
  },
  args: {
    user: { type: 'string', description: 'Whose password it is.' },
  },
  async run({ args }) {
    // Not told which: it may be the password.
    if (args._.length > 0 || Object.keys(args).some((name) => !['_', 'user'].includes(name)))
      throw new Error('user hash takes --user alone; the password is asked for, where nobody sees it')
    const user = checkedUserName(args.user)
    process.stdout.write(await passwordLine(user, await readPassword(process.stdin, process.stderr)))
  },
})
