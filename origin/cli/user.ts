// `mirrorball user`

import { defineCommand } from 'citty'

export default defineCommand({
  meta: { name: 'user', description: 'Makes lines for the file of users (access.htpasswd).' },
  subCommands: {
    hash: async () => (await import('./user-hash.ts')).default,
  },
})
