// The key that signs the bucket's URLs: made once, for its owner's eyes only, and one for all who start at once.

import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bucketKey } from '../../origin/accounts/bucket-key.ts'
import { temporaryFolder } from '../support/stack.ts'

let folder: { path: string; remove: () => Promise<void> }
let file: string

beforeEach(async () => {
  folder = await temporaryFolder()
  file = join(folder.path, 'accounts', 'bucket-key.json')
})
afterEach(() => folder.remove())

const permissions = async (path: string) => (await stat(path)).mode & 0o777

describe('a key that is missing', () => {
  test('is made, long enough that nobody guesses it', async () => {
    const { accessKeyId, secretAccessKey } = await bucketKey(file)
    expect(accessKeyId).toMatch(/^mirrorball[0-9a-f]{16}$/)
    expect(secretAccessKey).toMatch(/^[0-9a-f]{64}$/)
  })

  test('is the same at the next start', async () => {
    expect(await bucketKey(file)).toEqual(await bucketKey(file))
  })

  test('is another in another folder', async () => {
    const [first, second] = [await bucketKey(file), await bucketKey(join(folder.path, 'second', 'key.json'))]
    expect(second.secretAccessKey).not.toBe(first.secretAccessKey)
    expect(second.accessKeyId).not.toBe(first.accessKeyId)
  })

  test('is readable by its owner alone, and so is a folder made for it', async () => {
    await bucketKey(file)
    expect(await permissions(file)).toBe(0o600)
    expect(await permissions(dirname(file))).toBe(0o700)
  })

  test('leaves nothing else behind', async () => {
    await bucketKey(file)
    expect(await readdir(dirname(file))).toEqual(['bucket-key.json'])
  })

  test('is one for all who start at once, and the one in the file', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => bucketKey(file)))
    expect(new Set(keys.map((key) => JSON.stringify(key))).size).toBe(1)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(keys[0])
    expect(await readdir(dirname(file))).toEqual(['bucket-key.json'])
  })
})

describe('a key file', () => {
  async function write(content: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }

  test('that is there is used and not changed', async () => {
    const key = { accessKeyId: 'mine', secretAccessKey: 'a secret of one’s own' }
    await write(JSON.stringify(key))
    expect(await bucketKey(file)).toEqual(key)
    expect(await readFile(file, 'utf8')).toBe(JSON.stringify(key))
  })

  test.each([
    ['empty', ''],
    ['cut off', '{"accessKeyId":"mirrorball01","secretAccess'],
    ['no JSON', 'not a key'],
    ['null', 'null'],
    ['without a secret', '{"accessKeyId":"mirrorball01"}'],
    ['with a secret of 15 characters', `{"accessKeyId":"mirrorball01","secretAccessKey":"${'s'.repeat(15)}"}`],
    ['with an empty id', `{"accessKeyId":"","secretAccessKey":"${'s'.repeat(16)}"}`],
    ['with a secret that is no text', '{"accessKeyId":"mirrorball01","secretAccessKey":1234567890123456}'],
  ])('that is %s is damaged: the error names it, and it is not replaced', async (_, content) => {
    await write(content)
    await expect(bucketKey(file)).rejects.toThrow(`${file} is damaged`)
    expect(await readFile(file, 'utf8')).toBe(content)
  })

  test('that is damaged does not have its secret told', async () => {
    await write(`{"accessKeyId":"","secretAccessKey":"do-not-tell-anyone"}`)
    await expect(bucketKey(file)).rejects.not.toThrow('do-not-tell-anyone')
  })

  test('with a secret of 16 characters will do', async () => {
    await write(`{"accessKeyId":"a","secretAccessKey":"${'s'.repeat(16)}"}`)
    expect((await bucketKey(file)).secretAccessKey).toBe('s'.repeat(16))
  })

  test('that is a folder is an error, not a missing key', async () => {
    await mkdir(file, { recursive: true })
    await expect(bucketKey(file)).rejects.toThrow('EISDIR')
  })
})
