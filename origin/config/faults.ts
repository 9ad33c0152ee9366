// How a value at fault is told: the name by which it was given, what it must be, what was got, and what would do.

import { inspect } from 'node:util'
import * as v from 'valibot'
import type { ConfigFile } from './file.ts'
import { redactUrls } from './redact.ts'
import { isSection, type SectionSchema, type Setting } from './settings.ts'
import { type Given, isMapping } from './sources.ts'

/** Something other than settings where a section belongs. A section with nothing in it yet is none. */
export function sectionFaults(schema: SectionSchema, { values }: ConfigFile): string[] {
  return Object.entries(schema.entries).flatMap(([name, entry]) => {
    const value = Object.hasOwn(values, name) ? values[name] : null
    if (!isSection(entry) || value === null || isMapping(value)) return []
    return [`${name}: must be a section with settings in it; got ${shown(value)}`]
  })
}

export function valueFault(
  issue: v.BaseIssue<unknown>,
  settings: readonly Setting[],
  given: ReadonlyMap<string, Given>,
): string {
  const found = v.getDotPath(issue) ?? ''
  // The fault may lie deep in a setting that has a structure.
  const setting = settings.find((each) => found === each.path || found.startsWith(`${each.path}.`))
  const path = setting?.path ?? found
  const source = given.get(path)
  // Only for a setting that has to be given.
  if (source === undefined) return `${path}: must be set (--${setting?.option}, ${setting?.environment})`
  const got = setting?.secret === true ? 'a value that is not shown, being secret' : shown(source.value)
  return `${source.name}: ${issue.message}; got ${got}${example(issue.message, setting, source)}`
}

/** Some rules have an example in their words. */
function example(message: string, setting: Setting | undefined, { assignment }: Given): string {
  if (message.includes('e.g.') || setting?.example === undefined || assignment === undefined) return ''
  return `; e.g. ${assignment}${setting.example}`
}

function shown(value: unknown): string {
  if (value === null) return 'nothing (to have the default, leave the line out)'
  if (typeof value === 'string') return JSON.stringify(shortened(redactUrls(value)))
  return shortened(redactUrls(inspect(value, { depth: 2, breakLength: Infinity, compact: true })))
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
