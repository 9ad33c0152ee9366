// A disk that takes bytes and fails to keep them. It says so once: another sync succeeds, though the bytes are lost.

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import { digestOf } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { temporaryFolder } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }
const unseen = () => {}
const brokenDisk = Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' })

let folder: { path: string; remove: () => Promise<void> }

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await folder.remove()
})

/** The next call of every open file to sync or datasync fails. */
async function failOnce(call: 'sync' | 'datasync'): Promise<void> {
  const file = await open(join(folder.path, 'any'), 'w')
  vi.spyOn(Object.getPrototypeOf(file) as typeof file, call).mockRejectedValueOnce(brokenDisk)
  await file.close()
}

test('at the end of an upload ends it: publishing it again does not acknowledge what was lost', async () => {
  const uploads = createFsUploads({ folder: folder.path })
  await uploads.create('u1', wait)
  await uploads.append('u1', 0, new Blob(['bytes']).stream(), unseen, wait)
  await failOnce('sync')
  const key = blobKey(await digestOf(new TextEncoder().encode('bytes')))
  await expect(uploads.publish('u1', key, 5, wait)).rejects.toThrow(UpstreamError)
  expect(await uploads.size('u1', wait)).toBeUndefined()
})

test('in the midst of an upload ends it', async () => {
  const uploads = createFsUploads({ folder: folder.path })
  await uploads.create('u1', wait)
  await failOnce('datasync')
  const large = new Blob(Array.from({ length: 40 }, () => new Uint8Array(1024 * 1024)))
  await expect(uploads.append('u1', 0, large.stream(), unseen, wait)).rejects.toThrow(UpstreamError)
  expect(await uploads.size('u1', wait)).toBeUndefined()
})
