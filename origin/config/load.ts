// Reads the configuration. Sources, the first that has a value wins: command line, environment, file, default. All faults
// are reported at once.

import * as v from 'valibot'
import { ConfigError } from './config-error.ts'
import { sectionFaults, valueFault } from './faults.ts'
import { type ConfigFile, readConfigFile } from './file.ts'
import { type Config, configSchema } from './schema.ts'
import { type Entries, isSection, type SectionSchema, type Setting, settingsOf } from './settings.ts'
import { type ConfigSources, gatherGiven, type Given } from './sources.ts'
import { unknownNames } from './unknown-names.ts'

/** The file that is read where it exists and no other was named. */
const defaultFile = 'mirrorball.yaml'

export interface LoadedConfig<Values> {
  readonly config: Values
  readonly settings: readonly Setting[]
  /** By the setting's path; what was not given has its default, if it has one. */
  readonly given: ReadonlyMap<string, Given>
}

/** @throws ConfigError */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  return (await readConfig(configSchema, sources)).config
}

/** A configuration, and where its values come from. @throws ConfigError */
export async function readConfig<const Schema extends SectionSchema>(
  schema: Schema,
  sources: ConfigSources,
): Promise<LoadedConfig<v.InferOutput<Schema>>> {
  const settings = settingsOf(schema)
  const file = await namedFile(sources)
  const { given, faults } = await gatherGiven(settings, sources, file)
  const result = v.safeParse(schema, nested(schema.entries, given))
  const all = [
    ...file.faults,
    ...sectionFaults(schema, file),
    ...(await unknownNames(schema, settings, sources, file)),
    ...faults,
    ...(result.issues ?? []).map((issue) => valueFault(issue, settings, given)),
  ]
  if (all.length > 0 || !result.success) throw new ConfigError(all)
  return { config: deepFreeze(result.output), settings, given }
}

async function namedFile({ options, environment }: ConfigSources): Promise<ConfigFile> {
  const named = options['config'] ?? environment['MIRRORBALL_CONFIG']
  if (named !== '') return readConfigFile(named ?? defaultFile, named !== undefined)
  const name = options['config'] === undefined ? 'MIRRORBALL_CONFIG' : '--config'
  return { path: named, values: {}, faults: [`${name}: must be the path of a file, e.g. /etc/${defaultFile}; got ""`] }
}

/** What was given, in its sections. Sections are always there, for defaults to come into. */
function nested(entries: Entries, given: ReadonlyMap<string, Given>, sections: readonly string[] = []): object {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, entry]): [string, unknown][] => {
      const names = [...sections, name]
      if (isSection(entry)) return [[name, nested(entry.entries, given, names)]]
      const found = given.get(names.join('.'))
      return found === undefined ? [] : [[name, found.value]]
    }),
  )
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) deepFreeze(each)
  return Object.freeze(value)
}
