// Reads the configuration. Sources, the first that has a value wins: command line, environment, file, default. All faults
// are reported at once.

import * as v from 'valibot'
import { ConfigError } from './config-error.ts'
import { readConfigFile } from './file.ts'
import { type Config, configSchema } from './schema.ts'
import { type Entries, isSection, settings } from './settings.ts'

/** The file that is read where it exists and no other was named. */
const defaultFile = 'mirrorball.yaml'

export interface ConfigSources {
  /** By option name. */
  readonly options: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** @throws ConfigError */
export async function loadConfig({ options, environment }: ConfigSources): Promise<Config> {
  const file = options['config'] ?? environment['MIRRORBALL_CONFIG']
  const values = await readConfigFile(file ?? defaultFile, file !== undefined)
  const origins = new Map<string, string>()
  for (const { path, environment: variable, option } of settings) {
    const fromOption = options[option]
    const fromEnvironment = environment[variable]
    const given = fromOption ?? fromEnvironment
    if (given === undefined) continue
    origins.set(path, fromOption === undefined ? variable : `--${option}`)
    setPath(values, path.split('.'), given)
  }
  for (const [name, schema] of Object.entries(configSchema.entries)) {
    if (!isSection(schema)) continue
    values[name] ??= {}
    // A list would pass for an object without any of its keys.
    if (Array.isArray(values[name])) values[name] = JSON.stringify(values[name])
  }
  const unknown = unknownSettings(values, configSchema.entries, [])
  const result = v.safeParse(configSchema, values)
  const issues = result.success ? [] : result.issues
  const faults = [
    ...unknown.map((name) => `${name}: there is no such setting; see docs/operations.md`),
    ...issues.map((issue) => {
      const at = v.getDotPath(issue) ?? 'the file'
      return `${origins.get(at) ?? at}: ${issue.message}; got ${JSON.stringify(issue.input)}`
    }),
  ]
  if (faults.length > 0 || !result.success) throw new ConfigError(faults)
  return deepFreeze(result.output)
}

/** Every key that is no setting, with its sections. */
function unknownSettings(values: Record<string, unknown>, entries: Entries, sections: readonly string[]): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const schema = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (schema === undefined) return [[...sections, name].join('.')]
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isSection(schema) && isMapping ? unknownSettings({ ...value }, schema.entries, [...sections, name]) : []
  })
}

/** Sets a value inside sections. What stands where a section should be is left there, to be reported. */
function setPath(target: Record<string, unknown>, [first = '', ...rest]: readonly string[], value: string): void {
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const section = (target[first] ??= {})
  if (typeof section === 'object' && section !== null && !Array.isArray(section)) {
    setPath(section as Record<string, unknown>, rest, value)
  }
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const each of Object.values(value)) if (typeof each === 'object' && each !== null) deepFreeze(each as object)
  return Object.freeze(value)
}
