// Loads a configuration from a file, variables and options that a test gives.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../../origin/config/config-error.ts'
import { loadConfig } from '../../origin/config/load.ts'
import type { Config } from '../../origin/config/schema.ts'
import { temporaryFolder } from '../support/stack.ts'

interface Sources {
  /** Content of `some.yaml`. */
  readonly file?: string
  readonly options?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
}

/** Always with a file, so that one that lies in the working folder plays no part. */
export async function load({ file = '', options = {}, environment = {} }: Sources = {}): Promise<Config> {
  const folder = await temporaryFolder()
  try {
    const config = join(folder.path, 'some.yaml')
    await writeFile(config, file)
    return await loadConfig({ options: { config, ...options }, environment })
  } finally {
    await folder.remove()
  }
}

/** What is wrong, a line a fault. Rejects where the configuration is taken. */
export async function faults(sources: Sources): Promise<string[]> {
  let config: Config
  try {
    config = await load(sources)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  throw new Error(`the configuration was taken: ${JSON.stringify(config)}`)
}
