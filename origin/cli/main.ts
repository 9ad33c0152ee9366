// The command line: `mirrorball VERB [--option value …]`. One file a verb, loaded when it is called.

import { type CommandDef, defineCommand, runCommand, showUsage } from 'citty'
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
    cid: async () => (await import('./cid.ts')).default,
    export: async () => (await import('./export.ts')).default,
    import: async () => (await import('./import.ts')).default,
    publish: async () => (await import('./publish.ts')).default,
    block: async () => (await import('./block.ts')).default,
    unblock: async () => (await import('./unblock.ts')).default,
    blocked: async () => (await import('./blocked.ts')).default,
    swarm: async () => (await import('./swarm.ts')).default,
    token: async () => (await import('./token.ts')).default,
    user: async () => (await import('./user.ts')).default,
    config: async () => (await import('./config.ts')).default,
    doctor: async () => (await import('./doctor.ts')).default,
    deploy: async () => (await import('./deploy.ts')).default,
  },
})

const rawArgs = process.argv.slice(2)

try {
  if (rawArgs[0] === 'help') {
    await showUsage(main)
  } else {
    const { command, callers, rest } = await findCommand(main, rawArgs)
    if (asksForHelp(rest)) await showUsage(command, callers === '' ? undefined : { meta: { name: callers } })
    else await runCommand(command, { rawArgs: [...rest] })
  }
} catch (error) {
  process.stderr.write(`mirrorball: ${error instanceof ConfigError ? error.message : explain(error)}\n`)
  process.exitCode = 1
}

interface FoundCommand {
  readonly command: CommandDef
  /** The verbs before its own, as they are typed. */
  readonly callers: string
  readonly rest: readonly string[]
}

/** Follows the verbs to the command that they name. @throws Error where there is no such verb */
async function findCommand(command: CommandDef, words: readonly string[], callers = ''): Promise<FoundCommand> {
  const verbs = command.subCommands as Readonly<Record<string, () => Promise<CommandDef>>> | undefined
  if (verbs === undefined) return { command, callers, rest: words }
  const [word, ...rest] = words
  const found = word !== undefined && Object.hasOwn(verbs, word) ? verbs[word] : undefined
  if (found !== undefined) {
    const { name = '' } = command.meta as { name?: string }
    return findCommand(await found(), rest, `${callers} ${name}`.trim())
  }
  if (asksForHelp(words)) return { command, callers, rest: words }
  const names = Object.keys(verbs)
  if (word === undefined || word.startsWith('-')) throw new Error(`say which: ${names.join(', ')}`)
  const { nearestName } = await import('../config/suggest.ts')
  const nearest = nearestName(word, names)
  throw new Error(
    `there is no verb ${word}; ${nearest === undefined ? '' : `did you mean ${nearest}? `}there are ${names.join(', ')}`,
  )
}

function asksForHelp(words: readonly string[]): boolean {
  return words.includes('--help') || words.includes('-h')
}

/** What a person can act on; with the stack where it is a bug. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `port ${String(error.port)} is taken by another program; stop it, or choose another with --…-listen (see --help)`
  }
  if ('code' in error && error.code === 'EARG') return `${error.message}; see --help`
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  return isBug ? (error.stack ?? error.message) : error.message
}
