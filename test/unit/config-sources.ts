// Loads a configuration from a file, variables and options that a test gives.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InferOutput } from 'valibot'
import { ConfigError } from '../../origin/config/config-error.ts'
import { type LoadedConfig, readConfig } from '../../origin/config/load.ts'
import { type Config, configSchema } from '../../origin/config/schema.ts'
import type { SectionSchema } from '../../origin/config/settings.ts'
import { temporaryFolder } from '../support/stack.ts'

export interface Sources {
  /** Content of `some.yaml`. */
  readonly file?: string
  readonly options?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
}

/** Always with a file, so that one that lies in the working folder plays no part. */
export async function readWith<const Schema extends SectionSchema>(
  schema: Schema,
  { file = '', options = {}, environment = {} }: Sources,
): Promise<LoadedConfig<InferOutput<Schema>>> {
  const folder = await temporaryFolder()
  try {
    const config = join(folder.path, 'some.yaml')
    await writeFile(config, file)
    return await readConfig(schema, { options: { config, ...options }, environment })
  } finally {
    await folder.remove()
  }
}

/** What is wrong, a line a fault. Rejects where the configuration is taken. */
export async function faultsWith(schema: SectionSchema, sources: Sources): Promise<string[]> {
  let config: unknown
  try {
    ;({ config } = await readWith(schema, sources))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  throw new Error(`the configuration was taken: ${JSON.stringify(config)}`)
}

/** With the product's schema. */
export async function load(sources: Sources = {}): Promise<Config> {
  return (await readWith(configSchema, sources)).config
}

/** With the product's schema. */
export function faults(sources: Sources): Promise<string[]> {
  return faultsWith(configSchema, sources)
}
