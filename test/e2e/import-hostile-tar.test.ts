// Tars that are wrong, or made to harm: an import says what is wrong with them, and changes nothing.

import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Pack } from 'tar-stream'
import { beforeAll, beforeEach, describe, test } from 'vitest'
import { patchTarHeader, writeTar } from '../support/image-files/hostile-tar.ts'
import { files, type ImportTrials, startImportTrials } from '../support/image-files/import-trials.ts'

let trials: ImportTrials
let at: (name: string) => string

beforeAll(async () => {
  trials = await startImportTrials()
  return trials.stop
})

beforeEach(async () => {
  const folder = await trials.newFolder()
  at = (name) => join(folder, name)
})

describe('a tar', () => {
  const whole = (to: Pack) => {
    for (const [name, text] of Object.entries(files)) to.entry({ name }, text)
  }

  test.each<[string, (to: Pack) => void, RegExp]>([
    ['with a name that leads out of it', (to) => to.entry({ name: '../../etc/passwd' }, 'x'), /leads out of it/],
    ['with such a name inside', (to) => to.entry({ name: 'blobs/../../x' }, 'x'), /leads out of it/],
    ['with an absolute name', (to) => to.entry({ name: '/etc/passwd' }, 'x'), /leads out of it/],
    [
      'with a symbolic link',
      (to) => to.entry({ name: 'blobs/x', type: 'symlink', linkname: '/etc' }),
      /no regular file/,
    ],
    ['with a hard link', (to) => to.entry({ name: 'x', type: 'link', linkname: 'index.json' }), /no regular file/],
    ['with a device', (to) => to.entry({ name: 'x', type: 'character-device' }), /no regular file/],
    ['with a file twice', (to) => to.entry({ name: './index.json' }, '{}'), /twice/],
  ])('%s', async (_, add, reason) => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      whole(to)
      add(to)
    })
    await trials.expectRefused(tar, reason)
  })

  test('that is cut off', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      whole(to)
      to.entry({ name: 'x' }, 'x'.repeat(100_000))
    })
    await truncate(tar, 50_000)
    await trials.expectRefused(tar, /ends within "x"|no sound tar/)
  })

  test('whose header says a size beyond it, or none that is a number', async () => {
    for (const size of [
      '77777777777',
      '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
    ]) {
      const tar = at('image.tar')
      await writeTar(tar, async (to) => whole(to))
      await patchTarHeader(tar, { size })
      await trials.expectRefused(tar, /ends within|no sound tar/)
    }
  })

  test('of endless headers', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      for (let entry = 0; entry <= 100_000; entry += 1) to.entry({ name: `${entry}` }, '')
    })
    await trials.expectRefused(tar, /more than 100000 entries/)
  })

  test('with extended headers of gibibytes', async () => {
    const tar = at('image.tar')
    await writeTar(tar, async (to) => {
      to.entry({ name: 'x' }, Buffer.alloc(64 * 1024 * 1024, '9'))
    })
    await patchTarHeader(tar, { type: 'x' })
    await trials.expectRefused(tar, /no sound tar/)
  })

  test.each([
    ['gunzip', '\x1f\x8b\x08'],
    ['unzstd', '\x28\xb5\x2f\xfd'],
    ['unxz', '\xfd7zXZ\x00'],
    ['bunzip2', 'BZh9'],
  ])('that is compressed is to be unpacked by %s', async (unpack, begin) => {
    await writeFile(at('image.tar.x'), Buffer.from(begin.padEnd(600, 'x'), 'latin1'))
    await trials.expectRefused(at('image.tar.x'), new RegExp(`compressed.*${unpack}`))
  })
})
