// `npm run check`: everything that can be said of the code without running it. Every check runs, so that one call shows
// all that is wrong.

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

const checks: readonly { readonly what: string; readonly program: string; readonly args: readonly string[] }[] = [
  { what: 'types and layering', program: 'typescript/bin/tsc', args: ['-b'] },
  { what: 'lint', program: 'oxlint/bin/oxlint', args: ['--deny-warnings'] },
  { what: 'dead code', program: 'knip/bin/knip.js', args: ['--no-progress'] },
  { what: 'formatting', program: 'oxfmt/bin/oxfmt', args: ['--check', '.'] },
]

const failed = checks.filter(({ what, program, args }) => {
  const started = Date.now()
  process.stdout.write(`${what} …\n`)
  const { status } = spawnSync(process.execPath, [resolve(root, 'node_modules', program), ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  process.stdout.write(`${what}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`)
  return status !== 0
})

if (failed.length > 0) {
  process.stdout.write(`\nfailed: ${failed.map(({ what }) => what).join(', ')}; npm run format mends formatting\n`)
  process.exitCode = 1
}
