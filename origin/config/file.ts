// The configuration's file.

import { readFile } from 'node:fs/promises'
import { parse as parseYaml } from 'yaml'
import { ConfigError } from './config-error.ts'

/** @throws ConfigError */
export async function readConfigFile(file: string, required: boolean): Promise<Record<string, unknown>> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (!required && error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new ConfigError([`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  let values: unknown
  try {
    values = parseYaml(text) ?? {}
  } catch (error) {
    throw new ConfigError([`${file}: is no YAML: ${error instanceof Error ? error.message : String(error)}`])
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new ConfigError([`${file}: must be a mapping of settings`])
  return values as Record<string, unknown>
}
