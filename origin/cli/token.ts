// `mirrorball token`

import { defineCommand } from 'citty'

export default defineCommand({
  meta: {
    name: 'token',
    description:
      'Makes, lists and revokes personal access tokens, which clients sign in with as a password; and changes the key that signs.',
  },
  subCommands: {
    create: async () => (await import('./token-create.ts')).default,
    list: async () => (await import('./token-list.ts')).default,
    revoke: async () => (await import('./token-revoke.ts')).default,
    'rotate-key': async () => (await import('./token-rotate-key.ts')).default,
  },
})
