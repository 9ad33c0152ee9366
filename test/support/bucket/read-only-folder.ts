// A folder that nobody can write to, root included where the system lets root mount.

import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface ReadOnlyFolder {
  readonly path: string
  /** Ends it, so that the folder can be removed. */
  release(): Promise<void>
}

/**
 * `folder` as it is, read-only: for root mounted so at `beside`, for others without the right to write.
 * Undefined where root may not mount.
 */
export async function readOnlyFolder(folder: string, beside: string): Promise<ReadOnlyFolder | undefined> {
  if (process.geteuid?.() !== 0) {
    await setRights(folder, 0o555)
    return { path: folder, release: () => setRights(folder, 0o755) }
  }
  const run = promisify(execFile)
  await mkdir(beside)
  try {
    await run('mount', ['--bind', folder, beside])
  } catch {
    return undefined
  }
  await run('mount', ['-o', 'remount,bind,ro', beside])
  return { path: beside, release: async () => void (await run('umount', [beside])) }
}

async function setRights(folder: string, rights: number): Promise<void> {
  await chmod(folder, rights)
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await setRights(join(folder, entry.name), rights)
}

/** Every path below a folder with its size and times. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder, { recursive: true })).sort((a, b) => (a < b ? -1 : 1))) {
    const { size, mtimeMs, ctimeMs } = await lstat(join(folder, name))
    found[name] = `${size} ${mtimeMs} ${ctimeMs}`
  }
  return found
}
