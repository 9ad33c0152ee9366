// The worker as it is deployed: it passes a dry run, and stays small.

import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { projectFolder, temporaryFolder } from '../support/stack.ts'

/** KiB after gzip; a Worker may have 3 MiB, but a small one starts sooner. */
const bundleLimitKib = 60

test(`wrangler deploy --dry-run passes, and the bundle is at most ${bundleLimitKib} KiB gzipped`, async () => {
  const { path: folder, remove } = await temporaryFolder()
  const wrangler = join(projectFolder, 'node_modules/wrangler/bin/wrangler.js')
  const quiet = {
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [wrangler, 'deploy', '--dry-run', '--minify', '--outdir', folder],
    { cwd: projectFolder, env: { ...process.env, ...quiet } },
  )
  expect(stdout).toContain('--dry-run: exiting now')
  const scripts = (await readdir(folder)).filter((name) => name.endsWith('.js'))
  expect(scripts).toEqual(['index.js'])
  const kib = gzipSync(await readFile(join(folder, 'index.js')), { level: 9 }).byteLength / 1024
  process.stdout.write(`the worker's bundle: ${kib.toFixed(1)} KiB gzipped\n`)
  expect(kib).toBeLessThanOrEqual(bundleLimitKib)
  await remove()
})
