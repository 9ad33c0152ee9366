// Images that are made of this machine's own programs: tests of containers pull nothing.

import { execFile } from 'node:child_process'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Client, findClient } from '../clients/programs.ts'

const run = promisify(execFile)
const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** Programs that tests of containers need. */
export const neededForContainers = ['podman', 'busybox', 'skopeo'] as const satisfies readonly Client[]

/** What the Containerfile's first stage and the commands in compose.yaml call. */
const applets = ['sh', 'env', 'mkdir', 'cp', 'cat', 'wget']

/** Writes a folder with a Containerfile for a base of ours: Node with its libraries, npm, and a shell. */
export async function writeMachineBase(folder: string): Promise<void> {
  const root = join(folder, 'root')
  await writeProgram(root, process.execPath, 'node')
  const { stdout: modules } = await run('npm', ['root', '--global'])
  await put(root, join(modules.trim(), 'npm'), '/usr/lib/node_modules/npm')
  await symlink('../../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  await put(root, certificates, certificates)
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await writeContainerfile(folder, `ENV NODE_EXTRA_CA_CERTS=${certificates}`)
}

/** Writes a folder with a Containerfile for one program and a shell. @param start what the shell runs, with the arguments as `$@` */
export async function writeProgramImage(folder: string, program: string, name: string, start: string): Promise<void> {
  await writeProgram(join(folder, 'root'), program, name)
  await writeContainerfile(folder, `ENTRYPOINT ["/bin/sh", "-ec", ${JSON.stringify(start)}, "sh"]`)
}

/** A program with its libraries, beside a shell. */
async function writeProgram(root: string, program: string, name: string): Promise<void> {
  await put(root, program, `/usr/local/bin/${name}`)
  // It fails for one without libraries.
  const { stdout: libraries } = await run('ldd', [program]).catch(() => ({ stdout: '' }))
  for (const [library] of libraries.matchAll(/\/\S+/g)) await put(root, library, library)
  await put(root, findClient('busybox') ?? '', '/bin/busybox')
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet))
  await mkdir(join(root, 'usr/bin'))
  await symlink('/bin/env', join(root, 'usr/bin/env'))
  await mkdir(join(root, 'tmp'))
}

async function put(root: string, source: string, path: string): Promise<void> {
  await mkdir(join(root, dirname(path)), { recursive: true })
  await cp(source, join(root, path), { dereference: true, recursive: true })
}

async function writeContainerfile(folder: string, more: string): Promise<void> {
  const text = `FROM scratch\nCOPY root /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n${more}\n`
  await writeFile(join(folder, 'Containerfile'), text)
}
