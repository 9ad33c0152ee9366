// The command line: `mirrorball VERB [--option value …]`. One file a verb, loaded when it is called.

import { defineCommand, runCommand, showUsage } from 'citty'
import { ConfigError } from '../config/config-error.ts'

const main = defineCommand({
  meta: {
    name: 'mirrorball',
    description: 'An OCI registry that serves images to the world from an edge, a bucket and a small origin.',
  },
  subCommands: {
    up: async () => (await import('./up.ts')).default,
    bucket: async () => (await import('./bucket.ts')).default,
    origin: async () => (await import('./origin.ts')).default,
    edge: async () => (await import('./edge.ts')).default,
  },
})

const verbs = Object.keys(main.subCommands ?? {})
const rawArgs = process.argv.slice(2)
const verb = rawArgs[0] ?? '--help'

try {
  if (rawArgs.includes('--help') || rawArgs.includes('-h') || verb === 'help') {
    const command = verbs.includes(verb) ? (await import(`./${verb}.ts`)).default : main
    await showUsage(command, verbs.includes(verb) ? main : undefined)
  } else if (!verbs.includes(verb)) {
    throw new ConfigError([
      verb === '--help' ? `say which: ${verbs.join(', ')}` : `there is no verb ${verb}; there are ${verbs.join(', ')}`,
    ])
  } else {
    await runCommand(main, { rawArgs })
  }
} catch (error) {
  process.stderr.write(`mirrorball: ${error instanceof ConfigError ? error.message : explain(error)}\n`)
  process.exitCode = 1
}

/** What a person can act on; with the stack where it is a bug. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `port ${String(error.port)} is taken by another program; stop it, or choose another with --…-listen (see --help)`
  }
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  return isBug ? (error.stack ?? error.message) : error.message
}
