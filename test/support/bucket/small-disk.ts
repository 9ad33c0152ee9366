// A file system of a few MiB that really gets full: a tmpfs. Making one takes root; where that is not so the tests are
// skipped by name, and fail where MIRRORBALL_TEST_REQUIRE_CLIENTS is set, as in CI.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { temporaryFolder } from '../stack.ts'

const run = promisify(execFile)

/** What stands in the way of a small disk; undefined where nothing does. */
export async function missingSmallDisk(): Promise<string | undefined> {
  try {
    const disk = await mountSmallDisk('size=64k')
    await disk.remove()
    return undefined
  } catch (error) {
    const reason = `no tmpfs can be mounted (root on Linux can): ${error instanceof Error ? error.message : String(error)}`
    if (process.env['MIRRORBALL_TEST_REQUIRE_CLIENTS'] !== undefined)
      throw new Error(`required here: ${reason}`, { cause: error })
    return reason.trim()
  }
}

/** @param options of tmpfs, e.g. `size=8m` or `nr_inodes=100` */
export async function mountSmallDisk(options: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await temporaryFolder()
  try {
    await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder.path])
  } catch (error) {
    await folder.remove()
    throw error
  }
  return {
    path: folder.path,
    async remove() {
      await run('umount', [folder.path])
      await folder.remove()
    },
  }
}
