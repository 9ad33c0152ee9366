// The links within the documentation lead to a page and a heading that are there.

import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { projectFolder } from '../support/stack.ts'

const pagesIn = async (folder: string) =>
  (await readdir(join(projectFolder, folder))).filter((name) => name.endsWith('.md')).map((name) => join(folder, name))

const pages = [...(await pagesIn('.')), ...(await pagesIn('docs')), ...(await pagesIn('docs/decisions'))]

const read = (page: string) => readFile(join(projectFolder, page), 'utf8')

/** As code hosts make them of headings. */
async function anchorsOf(page: string): Promise<readonly string[]> {
  const prose = (await read(page)).replace(/```[^]*?```/g, '')
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  )
}

test.each(pages)('%s', async (page) => {
  const wrong: string[] = []
  for (const [, target = ''] of (await read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : join(dirname(page), path)
    if (!existsSync(join(projectFolder, file))) wrong.push(target)
    else if (anchor !== undefined && !(await anchorsOf(file)).includes(anchor)) wrong.push(target)
  }
  expect(wrong).toEqual([])
})
