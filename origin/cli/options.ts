// Every setting as a command-line option, the same for each verb that has to do with the configuration.

import type { StringArgDef } from 'citty'
import { type Setting, settings } from '../config/settings.ts'

export const optionArgs: Record<string, StringArgDef> = {
  config: {
    type: 'string',
    description: 'Configuration file (YAML). Default: mirrorball.yaml where it exists. (MIRRORBALL_CONFIG)',
  },
  ...Object.fromEntries(
    settings.map((setting) => [setting.option, { type: 'string' as const, description: describe(setting) }]),
  ),
}

function describe({ about, environment, environmentFile, default: fallback }: Setting): string {
  const variables = environmentFile === undefined ? environment : `${environment}, ${environmentFile}`
  return `${about}${fallback === undefined ? '' : ` Default: ${fallback}.`} (${variables})`
}

/** The parser's other names for options of ours. */
const camelNames = new Set(Object.keys(optionArgs).filter(hasDash).map(camelName))

/**
 * The options that were given, by name; what was given no value has an empty one. Whether there are such options, and
 * whether the values make sense, is for the configuration to say, with everything else that is wrong.
 * @throws Error for an argument that is no option
 */
export function givenOptions(
  args: Readonly<Record<string, unknown>> & { readonly _: readonly string[] },
): Record<string, string> {
  const given = Object.entries(args)
    .filter(([name]) => name !== '_' && !camelNames.has(name))
    .map(([name, value]): [string, string] => [name, typeof value === 'string' ? value : ''])
  // The value of an option that there is not looks like an argument; the option is what is wrong then.
  if (args._.length > 0 && given.every(([name]) => Object.hasOwn(optionArgs, name)))
    throw new Error(`there is no argument ${args._.join(' ')} to take; see --help`)
  return Object.fromEntries(given)
}

/** What a verb takes beside the settings. */
export interface VerbWords {
  /** In their order. */
  readonly words: readonly string[]
  /** Settings that were given as options. */
  readonly options: Record<string, string>
}

/**
 * The arguments of a verb that takes words.
 * @param own names of the verb's own options, which are left out of the settings
 * @throws Error for more words than it takes
 */
export function verbWords(
  args: Readonly<Record<string, unknown>> & { readonly _: readonly string[] },
  words: { readonly most: number; readonly own: readonly string[] },
): VerbWords {
  const rest = Object.entries(args).filter(([name]) => !words.own.includes(name))
  const options = givenOptions({ ...Object.fromEntries(rest), _: args._.slice(words.most) })
  return { words: args._.slice(0, words.most), options }
}

function hasDash(name: string): boolean {
  return name.includes('-')
}

function camelName(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
