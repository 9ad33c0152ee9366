// The contract of upload staging on the fake and on the folder.

import { afterEach } from 'vitest'
import { createFsBucket } from '../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../origin/compose/system-ports.ts'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import { createHashingThreads } from '../../origin/upload/hashing-threads.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { temporaryFolder } from '../support/stack.ts'
import { uploadsContract } from './uploads.contract.ts'

const threads = createHashingThreads()
const endings: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

uploadsContract('in memory', async () => {
  const objects: Objects = new Map()
  return { uploads: createMemoryUploads(objects), bucket: createMemoryBucket(objects), restarted: undefined }
})

uploadsContract('a folder', async () => {
  const { path: folder, remove } = await temporaryFolder()
  endings.push(remove)
  return {
    uploads: createFsUploads({ folder, threads }),
    bucket: await createFsBucket({ folder, random: systemRandom }),
    restarted: () => createFsUploads({ folder }),
  }
})
