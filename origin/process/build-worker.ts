// The worker as one file, bundled as `wrangler deploy` does.

import { build, stop as stopEsbuild } from 'esbuild'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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
  const wrangler = await readFile(join(projectFolder, 'wrangler.toml'), 'utf8')
  const date = /^compatibility_date = "(\d{4}-\d{2}-\d{2})"$/m.exec(wrangler)?.[1]
  if (date === undefined) throw new Error('wrangler.toml has no compatibility_date')
  return date
}
