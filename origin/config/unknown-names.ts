// Names that were given and are no setting's: on the command line, in the environment and in the file. A name that is
// slightly wrong must not go unseen.

import type { ConfigFile } from './file.ts'
import { type Entries, isSection, type SectionSchema, type Setting } from './settings.ts'
import { type ConfigSources, isMapping } from './sources.ts'

/** One fault a name, with the name that was perhaps meant. */
export async function unknownNames(
  schema: SectionSchema,
  settings: readonly Setting[],
  { options, environment }: ConfigSources,
  file: ConfigFile,
): Promise<string[]> {
  const known = new Set(settings.flatMap((setting) => [setting.option, setting.environment, setting.environmentFile]))
  const unknownOptions = givenNames(options).filter((name) => name !== 'config' && !known.has(name))
  const unknownVariables = givenNames(environment).filter(
    (name) => name.startsWith('MIRRORBALL_') && !known.has(name) && !isForOthers(name, environment[name]),
  )
  const unknownKeys = keysWithoutSetting(file.values, schema.entries, [])
  if (unknownOptions.length + unknownVariables.length + unknownKeys.length === 0) return []

  // Loaded only here: a process that starts as it should needs no suggestion.
  const { suggestKey, suggestOption, suggestVariable } = await import('./suggest.ts')
  const sections = Object.keys(schema.entries).filter((name) => isSection(schema.entries[name]))
  return [
    ...unknownOptions.map((name) => fault(`--${name}`, 'option', suggestOption(name, settings), '--help')),
    ...unknownVariables.map((name) => fault(name, 'variable', suggestVariable(name, settings), '--help')),
    ...unknownKeys.map((key) => fault(key, 'setting', suggestKey(key, settings, sections), 'docs/settings.md')),
  ]
}

function givenNames(given: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(given).filter((name) => given[name] !== undefined)
}

/**
 * Whether a variable has our prefix and is no setting all the same. In Kubernetes every pod is given variables for every
 * service of its namespace, named after it; one called `mirrorball` or `mirrorball-origin` must not keep us from starting.
 */
function isForOthers(name: string, value: string | undefined): boolean {
  if (name === 'MIRRORBALL_CONFIG' || name.startsWith('MIRRORBALL_TEST_')) return true
  if (/_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/.test(name)) return true
  if (/_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name)) return true
  return name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(value ?? '')
}

/** Every key of the file that is no setting, with its sections. */
function keysWithoutSetting(
  values: Readonly<Record<string, unknown>>,
  entries: Entries,
  sections: readonly string[],
): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const names = [...sections, name]
    const entry = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (entry === undefined) return [names.join('.')]
    return isSection(entry) && isMapping(value) ? keysWithoutSetting(value, entry.entries, names) : []
  })
}

function fault(name: string, kind: string, suggestion: string | undefined, elsewhere: string): string {
  const advice = suggestion === undefined ? `see ${elsewhere}` : `did you mean ${suggestion}?`
  return `${name}: there is no such ${kind}; ${advice}`
}
