// The bucket's format with real processes: who writes it, and who refuses to start.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pushImage } from '../support/http-client.ts'
import { snapshot } from '../support/bucket/read-only-folder.ts'
import { type Part, startPart, temporaryFolder } from '../support/stack.ts'

let folder: string
let remove: () => Promise<void>

beforeEach(async () => {
  const temporary = await temporaryFolder()
  folder = temporary.path
  remove = temporary.remove
})

afterEach(() => remove())

const bucket = () => join(folder, 'bucket')
const formatFile = () => join(bucket(), 'mirrorball/format')
const start = (options: Record<string, string> = {}): Promise<Part> =>
  startPart('origin', { 'data-dir': folder, 'origin-listen': '127.0.0.1:0', ...options })

describe('an origin', () => {
  test('writes the format into a new bucket, once', async () => {
    await (await start()).stop()
    expect(await readFile(formatFile(), 'utf8')).toBe('{"format":1}\n')
    const before = await snapshot(join(bucket(), 'mirrorball'))
    await (await start()).stop()
    expect(await snapshot(join(bucket(), 'mirrorball'))).toEqual(before)
  })

  test('serves a bucket without a format in place, and a read-only one adds none', async () => {
    const first = await start()
    const image = await pushImage(first.url, 'of/distribution', 'v1', 'format')
    await first.stop()
    // As Distribution would have left it.
    await rm(join(bucket(), 'mirrorball'), { recursive: true })
    for (const [options, written] of [
      [{ 'access-read-only': 'true' }, false],
      [{}, true],
    ] as const) {
      const origin = await start(options)
      expect(await (await fetch(`${origin.url}/v2/of/distribution/manifests/v1`)).text()).toBe(image.manifest)
      await origin.stop()
      expect(Object.keys(await snapshot(bucket())).includes('mirrorball/format')).toBe(written)
    }
  })

  test.each([
    ['{"format":2}', {}, /has format 2, and this version of Mirrorball knows format 1 only/],
    ['{"format":2}', { 'access-read-only': 'true' }, /has format 2/],
    ['not JSON', {}, /mirrorball\/format in the bucket is damaged/],
  ])('with the format %s and %o refuses to start, and writes nothing', async (content, options, message) => {
    await mkdir(join(bucket(), 'mirrorball'), { recursive: true })
    await writeFile(formatFile(), content)
    const before = await snapshot(bucket())
    await expect(start(options)).rejects.toThrow(message)
    expect(await snapshot(bucket())).toEqual(before)
  })
})

test('an edge serves a bucket of a newer format, whose pulls are the same', async () => {
  const origin = await start()
  const image = await pushImage(origin.url, 'some/name', 'v1', 'newer')
  await origin.stop()
  await writeFile(formatFile(), '{"format":2}')
  const edge = await startPart('edge', {
    'data-dir': folder,
    'edge-listen': '127.0.0.1:0',
    'bucket-url': 'http://127.0.0.1:1/mirrorball',
  })
  expect(await (await fetch(`${edge.url}/v2/some/name/manifests/v1`)).text()).toBe(image.manifest)
  expect((await fetch(`${edge.url}/readyz`)).status).toBe(200)
  await edge.stop()
})
