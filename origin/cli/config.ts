// `mirrorball config`

import { defineCommand } from 'citty'

export default defineCommand({
  meta: { name: 'config', description: 'Shows the configuration in effect, or the schema of its file.' },
  subCommands: {
    print: async () => (await import('./config-print.ts')).default,
    schema: async () => (await import('./config-schema.ts')).default,
  },
})
