// The key that signs the URLs of the bucket process. Made once and kept beside the bucket, never in it: what lies in the
// bucket can be read through it.

import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'

const bucketKeySchema = v.object({
  accessKeyId: v.pipe(v.string(), v.minLength(1)),
  secretAccessKey: v.pipe(v.string(), v.minLength(16)),
})

export type BucketKey = v.InferOutput<typeof bucketKeySchema>

/**
 * The key in `file`; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export async function bucketKey(file: string): Promise<BucketKey> {
  return (await readKey(file)) ?? (await makeKey(file))
}

async function readKey(file: string): Promise<BucketKey | undefined> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return v.parse(bucketKeySchema, JSON.parse(text))
  } catch {
    throw new Error(`${file} is damaged; remove it, and a new key is made at the next start`)
  }
}

/** Written whole under another name, then linked: a link fails where another process was first, and then theirs counts. */
async function makeKey(file: string): Promise<BucketKey> {
  const key: BucketKey = {
    accessKeyId: `mirrorball${randomBytes(8).toString('hex')}`,
    secretAccessKey: randomBytes(32).toString('hex'),
  }
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${randomBytes(8).toString('hex')}`
  const handle = await open(fresh, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(key)}\n`)
    await handle.sync()
    await link(fresh, file)
    return key
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    const theirs = await readKey(file)
    if (theirs === undefined) throw new Error(`${file} vanished while it was read`, { cause: error })
    return theirs
  } finally {
    await handle.close()
    await rm(fresh, { force: true })
  }
}
