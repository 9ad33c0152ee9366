// `/livez` and `/readyz`: what they say, to whom, how long they wait, and what a folder has to be for them.

import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { folderReadable, folderWritable } from '../../origin/bucket/folder-checks.ts'
import { createFsBucket } from '../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../origin/compose/system-ports.ts'
import { toResponse } from '../../shared/http/answer.ts'
import { bucketReadable, createHealth, type Health } from '../../shared/http/health.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { edgeApp, originApp } from '../support/apps.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }

let clock: FakeClock
let log: RecordingLog
let disk: 'well' | 'failing' | 'hanging'
let looks: number
let health: Health

beforeEach(() => {
  clock = createFakeClock()
  log = createRecordingLog()
  disk = 'well'
  looks = 0
  const steady = { name: 'steady', check: async () => {} }
  const folder = {
    name: 'folder',
    async check() {
      looks += 1
      if (disk === 'failing') throw new UpstreamError('bucket', 'EIO: /srv/secret/place')
      if (disk === 'hanging') await new Promise(() => {})
    },
  }
  health = createHealth({ clock, log, checks: [steady, folder] })
})

/** A later probe, after what the one before found is no longer given out. */
async function probe(method = 'GET', path = '/readyz'): Promise<Response> {
  clock.advance(1000)
  const answer = await health(method, path)
  if (answer === undefined) throw new Error(`${path} is no probe`)
  return toResponse(answer)
}

describe('/livez', () => {
  test('answers whatever has failed, and looks at nothing', async () => {
    disk = 'hanging'
    const response = await probe('GET', '/livez')
    expect([response.status, await response.json()]).toEqual([200, { live: true }])
    expect(looks).toBe(0)
  })
})

describe('/readyz', () => {
  test('names every check and its state', async () => {
    const response = await probe()
    expect([response.status, response.headers.get('Cache-Control'), response.headers.get('Retry-After')]).toEqual([
      200,
      'no-store',
      null,
    ])
    expect(await response.json()).toEqual({ ready: true, checks: { steady: 'ok', folder: 'ok' } })
  })

  test('is 503 with Retry-After where one fails, and does not tell strangers why', async () => {
    disk = 'failing'
    const response = await probe()
    expect([response.status, response.headers.get('Cache-Control'), response.headers.get('Retry-After')]).toEqual([
      503,
      'no-store',
      '5',
    ])
    const text = await response.text()
    expect(JSON.parse(text)).toEqual({ ready: false, checks: { steady: 'ok', folder: 'failed' } })
    expect(text).not.toContain('secret')
  })

  test('waits 2 s for what hangs, and no longer', async () => {
    disk = 'hanging'
    const answer = probe()
    await clock.untilArmed()
    clock.advance(2000)
    expect(await (await answer).json()).toEqual({ ready: false, checks: { steady: 'ok', folder: 'timeout' } })
    expect(clock.pending).toBe(0)
  })

  test('gives the same answer for a second without looking again', async () => {
    await probe()
    disk = 'failing'
    clock.advance(999)
    expect((await health('GET', '/readyz'))?.status).toBe(200)
    expect(looks).toBe(1)
    clock.advance(1)
    expect((await health('GET', '/readyz'))?.status).toBe(503)
    expect(looks).toBe(2)
  })

  test('tells the log when a check changes, once', async () => {
    await probe()
    disk = 'failing'
    for (let at = 0; at < 3; at++) await probe()
    disk = 'well'
    for (let at = 0; at < 3; at++) await probe()
    expect(log.lines.map(({ level, message, fields }) => [level, message, fields['check']])).toEqual([
      ['warn', 'not ready', 'folder'],
      ['info', 'ready again', 'folder'],
    ])
    expect(log.lines[0]?.error).toBeInstanceOf(UpstreamError)
  })
})

describe.each(['/livez', '/readyz'])('%s', (path) => {
  test('answers HEAD with the length and without the body', async () => {
    const [get, head] = [await probe('GET', path), await probe('HEAD', path)]
    expect([head.status, head.headers.get('Content-Length')]).toEqual([200, String((await get.text()).length)])
    expect(await head.text()).toBe('')
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s with 405', async (method) => {
    const response = await probe(method, path)
    expect([response.status, response.headers.get('Allow'), response.headers.get('Cache-Control')]).toEqual([
      405,
      'GET, HEAD',
      'no-store',
    ])
  })

  test.each([`${path}/`, `/v2${path}`, path.toUpperCase(), `${path}/x`])('is not %s', (other) => {
    expect(health('GET', other)).toBeUndefined()
  })
})

describe('in the apps', () => {
  const objects = new Map()
  const bucket = createMemoryBucket(objects)
  const apps = {
    origin: originApp({ bucket, uploads: createMemoryUploads(objects) }),
    // Its origin is down: by default nobody answers there.
    edge: edgeApp({ bucket }),
  }

  test.each(['origin', 'edge'] as const)('the %s is live and ready, with its origin down too', async (app) => {
    for (const path of ['/livez', '/readyz', '/readyz?verbose=1']) {
      expect((await apps[app].request(path)).status, path).toBe(200)
    }
    expect((await apps[app].request('/readyz', { method: 'DELETE' })).status).toBe(405)
  })

  test('an edge whose bucket fails is not ready', async () => {
    const failing = { ...bucket, head: () => Promise.reject(new UpstreamError('bucket', 'out of order')) }
    const response = await edgeApp({ bucket: failing }).request('/readyz')
    expect([response.status, await response.json()]).toEqual([503, { ready: false, checks: { bucket_read: 'failed' } }])
  })

  test('a bucket that holds nothing is readable', async () => {
    await expect(bucketReadable(createMemoryBucket()).check(wait)).resolves.toBeUndefined()
  })
})

describe('a folder', () => {
  test('that is there can be read and written, and the check leaves nothing behind', async () => {
    const { path: folder, remove } = await temporaryFolder()
    await createFsBucket({ folder, random: systemRandom })
    await folderReadable(folder).check(wait)
    await folderWritable(folder, systemRandom).check(wait)
    expect(await readdir(join(folder, '.tmp'))).toEqual([])
    await remove()
  })

  test('that goes and comes back is not readable, nor writable, meanwhile', async () => {
    const { path, remove } = await temporaryFolder()
    const folder = join(path, 'bucket')
    await createFsBucket({ folder, random: systemRandom })
    const checks = [folderReadable(folder), folderWritable(folder, systemRandom)]
    await rename(folder, `${folder}-away`)
    for (const each of checks) await expect(each.check(wait)).rejects.toThrow('ENOENT')
    await writeFile(folder, 'a file in its place')
    for (const each of checks) await expect(each.check(wait)).rejects.toThrow('ENOTDIR')
    await rm(folder)
    await rename(`${folder}-away`, folder)
    for (const each of checks) await each.check(wait)
    await remove()
  })

  test('in which no file can be made is readable, and not writable', async () => {
    const { path: folder, remove } = await temporaryFolder()
    await mkdir(join(folder, 'docker'))
    await folderReadable(folder).check(wait)
    await expect(folderWritable(folder, systemRandom).check(wait)).rejects.toThrow('ENOENT')
    await remove()
  })
})
