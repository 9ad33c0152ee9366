// Bundles the command line into a few files of plain JavaScript, once for each state of the sources. Running those
// instead of the TypeScript takes 45 MiB less memory a process, since Node then needs no compiler, and half the time to
// start.
'use strict'
const { createHash } = require('node:crypto')
const { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } = require('node:fs')
const { basename, join } = require('node:path')

/** Days after which a bundle that was not started any more is removed. */
const keptDays = 30

/** What a program starts as a thread is a program of its own, in a file beside it. */
const threads = { 'origin/cli/main.ts': ['origin/upload/hashing-thread.ts'] }

/**
 * @param root the project's folder
 * @param program the entry, relative to it, e.g. `origin/cli/main.ts`
 * @returns the path of the bundle's entry
 */
exports.bundle = function bundle(root, program) {
  const bundles = join(root, '.build', 'bundles')
  const folder = join(bundles, sourcesKey(root, program))
  const entry = join(folder, 'main.js')
  if (existsSync(entry)) {
    const now = new Date()
    utimesSync(folder, now, now)
    return entry
  }
  mkdirSync(bundles, { recursive: true })
  removeOld(bundles)
  const making = mkdtempSync(join(bundles, 'making-'))
  require('esbuild').buildSync({
    entryPoints: {
      main: join(root, program),
      ...Object.fromEntries((threads[program] ?? []).map((file) => [basename(file, '.ts'), join(root, file)])),
    },
    outdir: making,
    bundle: true,
    // What a verb loads only when it needs it stays apart.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // They find programs, or machine code, beside their files.
    external: ['bcrypt', 'esbuild', 'workerd'],
    // Some dependencies are CommonJS, and ask for Node's own modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  })
  try {
    renameSync(making, folder)
  } catch (error) {
    // Another process made the same meanwhile.
    if (!existsSync(entry)) throw error
    rmSync(making, { recursive: true })
  }
  return entry
}

/** Changes whenever a source or the set of dependencies does. */
function sourcesKey(root, program) {
  const key = createHash('sha256').update(program)
  const files = [join(root, 'package-lock.json')]
  for (const room of ['origin', 'shared']) {
    for (const entry of readdirSync(join(root, room), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name))
    }
  }
  for (const file of files.sort((a, b) => (a < b ? -1 : 1))) {
    const { size, mtimeMs } = statSync(file)
    key.update(`\n${file} ${size} ${mtimeMs}`)
  }
  return key.digest('hex').slice(0, 16)
}

function removeOld(bundles) {
  for (const name of readdirSync(bundles)) {
    const folder = join(bundles, name)
    if (Date.now() - statSync(folder).mtimeMs > keptDays * 24 * 3600_000)
      rmSync(folder, { recursive: true, force: true })
  }
}
