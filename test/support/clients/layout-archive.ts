// An OCI layout as one tar file, which is how clients with a storage of their own take it in.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '../stack.ts'

/** The archive is there only while it is used. */
export async function withArchive<Result>(layout: string, use: (archive: string) => Promise<Result>): Promise<Result> {
  const folder = await temporaryFolder()
  try {
    const archive = join(folder.path, 'layout.tar')
    await promisify(execFile)('tar', ['-C', layout, '-cf', archive, '.'])
    return await use(archive)
  } finally {
    await folder.remove()
  }
}
