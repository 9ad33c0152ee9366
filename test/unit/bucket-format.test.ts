// The bucket's format: who is taken, who is refused and what with.

import { describe, expect, test } from 'vitest'
import { formatKey } from '../../shared/layout/keys.ts'
import { hasFormat, writeFormat } from '../../shared/registry/bucket-format.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'

const wait = { signal: new AbortController().signal }
const bucketWith = (content: string) => createMemoryBucket(new Map([[formatKey, new TextEncoder().encode(content)]]))

describe('the format of a bucket', () => {
  test('is written so that it is known afterwards', async () => {
    const objects: Objects = new Map()
    const bucket = createMemoryBucket(objects)
    expect(await hasFormat(bucket, wait)).toBe(false)
    await writeFormat(bucket, wait)
    expect(await hasFormat(bucket, wait)).toBe(true)
    expect([...objects.keys()]).toEqual(['mirrorball/format'])
    expect(new TextDecoder().decode(objects.get('mirrorball/format'))).toBe('{"format":1}\n')
  })

  test('may say more than we know', async () => {
    expect(await hasFormat(bucketWith('{"format":1,"since":"2026"}'), wait)).toBe(true)
  })

  test.each(['{"format":2}', '{"format":0}', '{"format":-1}', '{"format":99}'])('%s is refused', async (content) => {
    const format = String((JSON.parse(content) as { format: number }).format)
    const refused = hasFormat(bucketWith(content), wait)
    await expect(refused).rejects.toThrow(`has format ${format}, and this version of Mirrorball knows format 1 only`)
    await expect(refused).rejects.toThrow('bucket.folder')
  })

  test.each(['', '1', 'null', '[]', '{}', '{"format":"1"}', '{"format":1.5}', '{"format":1', '\u0000'])(
    '%o is damaged',
    async (content) => {
      await expect(hasFormat(bucketWith(content), wait)).rejects.toThrow('mirrorball/format in the bucket is damaged')
    },
  )

  test('that is far too long is not read', async () => {
    await expect(hasFormat(bucketWith(`{"format":1}${' '.repeat(1000)}`), wait)).rejects.toThrow('too large')
  })
})
