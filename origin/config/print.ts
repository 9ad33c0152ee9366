// The configuration in effect, written as its file is, with where each value comes from.

import { stringify } from 'yaml'
import type { LoadedConfig } from './load.ts'
import { hidden, redactUrls } from './redact.ts'
import { type Entries, isSection, type SectionSchema, type Setting } from './settings.ts'

/** YAML that gives the same configuration again, but for what is hidden. */
export function printedConfig(schema: SectionSchema, loaded: LoadedConfig<object>): string {
  return [
    '# The configuration in effect, and where each value comes from.',
    `# Secrets are shown as ${hidden}, also those in URLs.`,
    ...linesOf(schema.entries, loaded, []),
    '',
  ].join('\n')
}

function linesOf(entries: Entries, loaded: LoadedConfig<object>, sections: readonly string[]): string[] {
  const indent = '  '.repeat(sections.length)
  return Object.entries(entries).flatMap(([name, entry]) => {
    const names = [...sections, name]
    if (isSection(entry)) return [`${indent}${name}:`, ...linesOf(entry.entries, loaded, names)]
    const setting = loaded.settings.find(({ path }) => path === names.join('.'))
    return setting === undefined ? [] : [`${indent}${lineOf(name, setting, loaded)}`]
  })
}

function lineOf(name: string, setting: Setting, { config, given }: LoadedConfig<object>): string {
  const source = given.get(setting.path)
  const value = source === undefined ? setting.default : source.value
  if (value === undefined) return `# ${name} is not set. ${setting.about}`
  return `${name}: ${written(setting, valueAt(config, setting.path), value)} # ${source?.source ?? 'default'}`
}

/** On one line. What was read into something else than one value is written as it was given. */
function written({ secret }: Setting, read: unknown, given: unknown): string {
  const value = typeof read === 'object' ? given : read
  const shown = secret ? hidden : typeof value === 'string' ? redactUrls(value) : value
  // A text of several lines has one in JSON, and JSON is YAML.
  const isLong = typeof shown === 'string' && /[\r\n]/.test(shown)
  return isLong ? JSON.stringify(shown) : stringify(shown, { lineWidth: 0 }).trimEnd()
}

function valueAt(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], config)
}
