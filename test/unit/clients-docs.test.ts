// docs/clients.md names every client that the tests run, in the version that is installed for them.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Client, howToInstall } from '../support/clients/programs.ts'
import { projectFolder } from '../support/stack.ts'

const document = await readFile(join(projectFolder, 'docs/clients.md'), 'utf8')
const list = await readFile(join(projectFolder, '.ci/go-clients'), 'utf8')
const built = list
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(/\s+/))
  .map(([program = '', , version = '']) => ({ program, version }))

describe('docs/clients.md', () => {
  test.each(Object.keys(howToInstall) as readonly Client[])('names %s', (client) => {
    expect(document).toContain(`\`${client}\``)
  })

  test.each(built)('has $program in version $version', ({ program, version }) => {
    const line = document.split('\n').find((line) => line.includes(`\`${program}\``))
    expect(line).toContain(version)
  })
})

describe('.ci/go-clients', () => {
  test('has the clients that are not of Debian, and no others', () => {
    const notOfDebian = Object.entries(howToInstall).filter(([, how]) => how.startsWith('.ci/install-clients'))
    expect(built.map(({ program }) => program).sort()).toEqual(notOfDebian.map(([client]) => client).sort())
  })
})
