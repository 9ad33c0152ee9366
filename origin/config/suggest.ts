// Which name somebody may have meant: a slip of the finger, another spelling, or a section left out.

import { closest, distance } from 'fastest-levenshtein'
import type { Setting } from './settings.ts'

/** The name nearest to the given one, if it is near: one letter in three may differ. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const nearest = closest(given, names)
  return distance(given, nearest) <= Math.max(1, Math.floor(given.length / 3)) ? nearest : undefined
}

/** @param given without dashes in front, as is what comes back with them */
export function suggestOption(given: string, settings: readonly Setting[]): string | undefined {
  const names = bySpelling(settings, ({ option }) => option)
  const found = nearestSpelling(given, names.set('config', 'config'))
  return found === undefined ? undefined : `--${found}`
}

export function suggestVariable(given: string, settings: readonly Setting[]): string | undefined {
  const names = bySpelling(settings, ({ environment }) => environment)
  return nearestSpelling(given.slice('MIRRORBALL_'.length), names.set('config', 'MIRRORBALL_CONFIG'))
}

/** @param given key of the file, with its sections */
export function suggestKey(
  given: string,
  settings: readonly Setting[],
  sections: readonly string[],
): string | undefined {
  const names = bySpelling(settings, ({ path }) => path)
  for (const section of sections) names.set(section, section)
  return nearestSpelling(given, names)
}

/** What a setting is called in each source, in one spelling: who mixes the sources up means the same setting. */
function bySpelling(settings: readonly Setting[], nameOf: (setting: Setting) => string): Map<string, string> {
  return new Map(
    settings.flatMap((setting) => [setting.path, setting.option].map((name) => [spelling(name), nameOf(setting)])),
  )
}

function nearestSpelling(given: string, names: ReadonlyMap<string, string>): string | undefined {
  const spelled = spelling(given)
  const withoutSection = [...names.keys()].filter((name) => name.endsWith(`_${spelled}`))
  const found = withoutSection.length === 1 ? withoutSection[0] : nearestName(spelled, [...names.keys()])
  return found === undefined ? undefined : names.get(found)
}

/** `origin.requestTimeoutMs`, `--origin-request-timeout-ms` and `ORIGIN_REQUEST_TIMEOUT_MS` are one. */
function spelling(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()
}
