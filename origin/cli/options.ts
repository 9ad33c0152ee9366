// Every setting as a command-line option, the same for each verb that runs something.

import type { StringArgDef } from 'citty'
import { settings } from '../config/settings.ts'

export const optionArgs: Record<string, StringArgDef> = {
  config: {
    type: 'string',
    description: 'Configuration file (YAML). Default: mirrorball.yaml where it exists. (MIRRORBALL_CONFIG)',
  },
  ...Object.fromEntries(
    settings.map(({ option, about, environment, default: fallback }) => [
      option,
      {
        type: 'string' as const,
        description: `${about}${fallback === undefined ? '' : ` Default: ${fallback}.`} (${environment})`,
      },
    ]),
  ),
}

/** The options that were given, by name. @throws Error for one that there is not: a typo must not go unseen */
export function givenOptions(
  args: Readonly<Record<string, unknown>> & { readonly _: readonly string[] },
): Record<string, string> {
  const given: Record<string, string> = {}
  for (const [name, value] of Object.entries(args)) {
    if (name === '_') continue
    const dashed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    if (!Object.hasOwn(optionArgs, dashed)) throw new Error(`there is no option --${dashed}; see --help`)
    if (typeof value !== 'string' || value === '') throw new Error(`--${dashed} needs a value; see --help`)
    given[dashed] = value
  }
  if (args._.length > 0) throw new Error(`there is no argument ${args._.join(' ')} to take; see --help`)
  return given
}
