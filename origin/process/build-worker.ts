// The worker as one file, bundled as `wrangler deploy` does.

import { build, stop as stopEsbuild } from 'esbuild'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseWranglerFile, type WranglerFile } from '../deploy/wrangler-file.ts'
import { projectFolder } from './project-folder.ts'

/** Writes the bundled worker to `outfile`. @param entry its module, in the project's folder */
export async function buildWorker(outfile: string, entry = 'worker/index.ts'): Promise<void> {
  await build({
    entryPoints: [join(projectFolder, entry)],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2024',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    logLevel: 'error',
  })
  // Otherwise its helper process would stay as long as we do.
  await stopEsbuild()
}

/** The date that the deployed worker runs with, so that both behave alike. */
export async function compatibilityDate(): Promise<string> {
  return (await readWranglerFile(join(projectFolder, 'wrangler.toml'))).compatibility_date
}

/** @throws Error that names the file */
export async function readWranglerFile(path: string): Promise<WranglerFile> {
  try {
    return parseWranglerFile(await readFile(path, 'utf8'))
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
