// Every setting of the schema by its names: in the file, the environment and on the command line.

import * as v from 'valibot'
import { configSchema } from './schema.ts'

export interface Setting {
  /** As in the file, sections joined by dots: `origin.listen`. */
  readonly path: string
  readonly environment: string
  /** Variable that names a file with the value in it; of secrets only. */
  readonly environmentFile: string | undefined
  /** Without dashes in front. */
  readonly option: string
  readonly about: string
  readonly default: string | undefined
  /** A value that would do: the default, or one of the schema's examples. */
  readonly example: string | undefined
  /** Its value is never shown. */
  readonly secret: boolean
}

export type Entries = Readonly<Record<string, v.GenericSchema>>
export type SectionSchema = v.GenericSchema & { readonly entries: Entries }

/** Every setting, in the order of the schema. */
export function settingsOf(schema: SectionSchema, sections: readonly string[] = []): Setting[] {
  return Object.entries(schema.entries).flatMap(([name, entry]) => {
    const names = [...sections, name]
    return isSection(entry) ? settingsOf(entry, names) : [setting(entry, names)]
  })
}

/** Every setting of the product. */
export const settings: readonly Setting[] = settingsOf(configSchema)

function setting(schema: v.GenericSchema, names: readonly string[]): Setting {
  const path = names.join('.')
  const environment = `MIRRORBALL_${names.join('_').toUpperCase()}`
  const fallback = asText(v.getDefault(schema))
  const secret = v.getMetadata(schema)['secret'] === true
  return {
    path,
    environment,
    environmentFile: secret ? `${environment}_FILE` : undefined,
    option: optionName(path),
    about: v.getDescription(schema) ?? '',
    default: fallback,
    example: fallback ?? asText((v.getExamples(schema) as readonly unknown[])[0]),
    secret,
  }
}

function asText(value: unknown): string | undefined {
  return value === undefined ? undefined : `${value as string | number | boolean}`
}

/** `up --edge workerd` reads better than `--edge-runtime workerd`. */
function optionName(path: string): string {
  return path === 'edge.runtime' ? 'edge' : path.replace(/[._]/g, '-')
}

export function isSection(schema: v.GenericSchema | undefined): schema is SectionSchema {
  return schema !== undefined && 'entries' in schema
}
