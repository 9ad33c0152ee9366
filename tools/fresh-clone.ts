// `npm run fresh-clone`: shows that a newcomer needs two commands and nothing else. Clones the last commit into a new
// folder, with an empty npm cache, and there runs `npm start` and `npm test` on the Node that npm finds, twice each start.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'mirrorball-fresh-'))
const clone = join(folder, 'clone')
const environment = {
  // What npm told this process of itself must not reach the npm under test.
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
  // The packaged Node is on the path of everything that npm starts; the clone has to find the machine's own.
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((entry) => !entry.includes('node_modules'))
    .join(':'),
  npm_config_cache: join(folder, 'npm-cache'),
  MIRRORBALL_ORIGIN_LISTEN: '127.0.0.1:0',
  MIRRORBALL_BUCKET_LISTEN: '127.0.0.1:0',
  MIRRORBALL_EDGE_LISTEN: '127.0.0.1:0',
  MIRRORBALL_DATA_DIR: join(folder, 'data'),
}

/** Runs `npm start` until it says that it is ready, then ends it. Returns seconds. */
async function timeStart(): Promise<number> {
  const started = Date.now()
  const child = spawn('npm', ['start'], { cwd: clone, env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((done) => child.once('close', (code) => done(code)))
  const ready = new Promise<number>((done, fail) => {
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.includes('Mirrorball is ready')) done((Date.now() - started) / 1000)
    })
    void exited.then((code) => fail(new Error(`npm start ended with ${code}:\n${printed}`)))
  })
  const seconds = await ready
  // To npm alone, as `kill` by a person or a service manager would: everything below it has to end too.
  child.kill('SIGTERM')
  await exited
  return seconds
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status } = spawnSync(command, args, { cwd, env: environment, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}

try {
  run('git', ['clone', '--quiet', root, clone], folder)
  const node = spawnSync('node', ['--version'], { env: environment, encoding: 'utf8' }).stdout.trim()
  const first = await timeStart()
  const again = await timeStart()
  const testing = Date.now()
  run('npm', ['test'], clone)
  process.stdout.write(
    `\nfresh clone, empty npm cache, Node ${node}: npm start ready after ${first.toFixed(1)} s, ` +
      `again after ${again.toFixed(1)} s; npm test passed in ${((Date.now() - testing) / 1000).toFixed(0)} s\n`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
