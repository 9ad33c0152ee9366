// Which value each setting was given, and by which source. The first that has one wins: command line, environment, file.

import { readFile } from 'node:fs/promises'
import type { ConfigFile } from './file.ts'
import type { Setting } from './settings.ts'

export interface ConfigSources {
  /** By option name. */
  readonly options: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface Given {
  readonly value: unknown
  /** What its source calls the setting: `--origin-listen`, `MIRRORBALL_ORIGIN_LISTEN`, `origin.listen`. */
  readonly name: string
  /** For people: `option --origin-listen`. */
  readonly source: string
  /** What a value is written after in this source; undefined where none can be shown. */
  readonly assignment: string | undefined
}

export interface GivenSettings {
  /** By the setting's path. */
  readonly given: ReadonlyMap<string, Given>
  readonly faults: readonly string[]
}

export async function gatherGiven(
  settings: readonly Setting[],
  sources: ConfigSources,
  file: ConfigFile,
): Promise<GivenSettings> {
  const given = new Map<string, Given>()
  const faults: string[] = []
  for (const setting of settings) {
    const found = fromOption(setting, sources) ?? (await fromEnvironment(setting, sources)) ?? fromFile(setting, file)
    if (typeof found === 'string') faults.push(found)
    else if (found !== undefined) given.set(setting.path, found)
  }
  return { given, faults }
}

function fromOption({ option }: Setting, { options }: ConfigSources): Given | undefined {
  const value = options[option]
  if (value === undefined) return undefined
  return { value, name: `--${option}`, source: `option --${option}`, assignment: `--${option} ` }
}

/** Returns a fault as a text. */
async function fromEnvironment(setting: Setting, { environment }: ConfigSources): Promise<Given | string | undefined> {
  const { environment: variable, environmentFile: fileVariable } = setting
  const value = environment[variable]
  const secretFile = fileVariable === undefined ? undefined : environment[fileVariable]
  if (fileVariable !== undefined && secretFile !== undefined) {
    if (value !== undefined) return `${fileVariable}: is set, and so is ${variable}; unset one of them`
    return readSecret(fileVariable, secretFile)
  }
  if (value === undefined) return undefined
  return { value, name: variable, source: `variable ${variable}`, assignment: `${variable}=` }
}

async function readSecret(variable: string, path: string): Promise<Given | string> {
  try {
    // Editors and `echo` end a file with a newline that is no part of the secret.
    const value = (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
    return { value, name: variable, source: `variable ${variable}`, assignment: undefined }
  } catch (error) {
    return `${variable}: names a file that cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
}

function fromFile({ path }: Setting, file: ConfigFile): Given | undefined {
  const names = path.split('.')
  let value: unknown = file.values
  for (const name of names) {
    if (!isMapping(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return { value, name: path, source: `file ${file.path}`, assignment: `${names.at(-1)}: ` }
}

/** Whether a value of the file is one with names in it. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
