// Runs one of the project's programs: `node bin/launch.cjs PROGRAM [ARG ...]`.
//
// Plain CommonJS without dependencies, because it is what runs on a fresh clone under whatever
// Node (20 or newer) the machine has. It installs what package-lock.json names when that has not been done yet, then
// starts PROGRAM in this process if this is Node 24 or newer (the project's TypeScript runs as it is there), and
// otherwise starts itself again under the Node 24 that was installed with the dependencies.
'use strict'
const { spawn } = require('node:child_process')
const { createHash } = require('node:crypto')
const { existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { constants } = require('node:os')
const { join, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')
const { bundle } = require('./bundle.cjs')

const root = resolve(__dirname, '..')
const stampFile = join(root, 'node_modules', '.installed-from')

main(process.argv.slice(2)).catch((error) => {
  console.error(`mirrorball: ${error.message}`)
  process.exitCode = 1
})

async function main([program, ...args]) {
  if (!program) throw new Error('usage: node bin/launch.cjs PROGRAM [ARG ...]')
  await installOnce()
  stopWithNpm()
  if (nodeMajor(process.versions.node) >= 24) {
    const file = program === 'origin/cli/main.ts' ? bundle(root, program) : resolve(root, program)
    process.argv = [process.execPath, file, ...args]
    await import(pathToFileURL(file).href)
    return
  }
  await runUnderBundledNode([program, ...args])
}

/** Installs the locked dependencies, unless exactly this lock file has been installed already. */
async function installOnce() {
  const lock = readFileSync(join(root, 'package-lock.json'))
  const wanted = `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return
  const release = await lockInstall()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return release()
  const started = Date.now()
  console.error('mirrorball: installing dependencies (once, usually under a minute) …')
  const heartbeat = setInterval(() => {
    console.error(`mirrorball: still installing, ${Math.round((Date.now() - started) / 1000)} s`)
  }, 10_000)
  try {
    // Scripts stay off: nothing here needs one, and a dependency's install script is somebody else's code.
    const npmArgs = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const code = await run('npm', npmArgs, { cwd: root, shell: process.platform === 'win32' })
    if (code !== 0)
      throw new Error(`npm ${npmArgs.join(' ')} ended with ${code}; mend what it says above, then run this again`)
    writeFileSync(stampFile, wanted)
  } finally {
    clearInterval(heartbeat)
    release()
  }
  console.error(`mirrorball: installed in ${Math.round((Date.now() - started) / 1000)} s`)
}

/**
 * One install at a time: `npm ci` removes node_modules, also under another `npm start` or `npm test` of this clone.
 * Waits for the one before, unless the process that holds the lock is gone. Returns what releases it.
 */
async function lockInstall() {
  const lock = join(root, '.installing')
  for (let told = false; ;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return () => rmSync(lock, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const owner = readOrEmpty(lock)
    // Empty for a moment, between its making and its writing.
    if (owner !== '' && !isAlive(Number(owner))) {
      rmSync(lock, { force: true })
      continue
    }
    if (!told) console.error('mirrorball: waiting for another install in this folder …')
    told = true
    await new Promise((next) => setTimeout(next, 200))
  }
}

function readOrEmpty(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function runUnderBundledNode(argv) {
  const bundled = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  if (!existsSync(bundled)) {
    throw new Error(
      `this is Node ${process.versions.node}, and Mirrorball needs Node 24 or newer. ` +
        `There is no packaged Node for ${process.platform}-${process.arch}: install Node 24, then run this again`,
    )
  }
  process.exitCode = await run(bundled, [__filename, ...argv], {})
}

/** Runs a command to its end, passing signals on to it. Returns its exit code; 128 + n when signal n ended it. */
function run(command, args, options) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options })
    const forward = (signal) => child.kill(signal)
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward)
    child.on('error', fail)
    child.on('exit', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM']) process.off(name, forward)
      done(code ?? 128 + constants.signals[signal])
    })
  })
}

/**
 * `kill` of npm ends only npm and its shell, and would leave this process behind with its ports open. Under npm we
 * therefore stop when our parent changes. Not elsewhere: a program started with `nohup … &` outlives its shell.
 */
function stopWithNpm() {
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
  }, 500).unref()
}

function nodeMajor(version) {
  return Number(version.split('.')[0])
}
