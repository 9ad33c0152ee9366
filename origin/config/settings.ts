// Every setting of the schema by its names: in the file, the environment and on the command line.

import * as v from 'valibot'
import { configSchema } from './schema.ts'

export interface Setting {
  /** As in the file, sections joined by dots: `origin.listen`. */
  readonly path: string
  readonly environment: string
  /** Without dashes in front. */
  readonly option: string
  readonly about: string
  readonly default: string | undefined
}

/** Every setting, in the order of the schema. */
export const settings: readonly Setting[] = collectSettings(configSchema.entries, [])

export type Entries = Readonly<Record<string, v.GenericSchema>>

function collectSettings(entries: Entries, sections: readonly string[]): Setting[] {
  return Object.entries(entries).flatMap(([name, schema]) => {
    const names = [...sections, name]
    if (isSection(schema)) return collectSettings(schema.entries, names)
    const fallback = v.getDefault(schema) as string | number | boolean | undefined
    const path = names.join('.')
    return [
      {
        path,
        environment: `MIRRORBALL_${names.join('_').toUpperCase()}`,
        option: optionName(path),
        about: v.getDescription(schema) ?? '',
        default: fallback === undefined ? undefined : `${fallback}`,
      },
    ]
  })
}

/** `up --edge workerd` reads better than `--edge-runtime workerd`. */
function optionName(path: string): string {
  return path === 'edge.runtime' ? 'edge' : path.replace(/[._]/g, '-')
}

export function isSection(schema: v.GenericSchema): schema is v.GenericSchema & { readonly entries: Entries } {
  return 'entries' in schema
}
