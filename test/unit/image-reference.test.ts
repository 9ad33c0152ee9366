import { expect, test } from 'vitest'
import { parseImageReference } from '../../shared/protocol/image-reference.ts'

const digest = `sha256:${'a'.repeat(64)}`
const cid = `bafybei${'a'.repeat(52)}`

test.each([
  ['app', 'app', 'latest'],
  ['team/app:1.0', 'team/app', '1.0'],
  [`team/app@${digest}`, 'team/app', digest],
  [cid, cid, 'latest'],
  ['a'.repeat(64), 'a'.repeat(64), 'latest'],
  [`${cid}:latest`, cid, 'latest'],
])('%s', (text, name, reference) => {
  const parsed = parseImageReference(text)
  const said = parsed?.reference.kind === 'tag' ? parsed.reference.tag : parsed?.reference.digest
  expect([parsed?.name, said]).toEqual([name, reference])
})

test.each([
  '',
  ':',
  'app:',
  'app@',
  ':1.0',
  'App',
  'app@1.0',
  'app@latest',
  `app:${digest}`,
  `app:1.0@${digest}`,
  'localhost:1970/app',
  'app:a/b',
  '../app',
])('%j is none', (text) => {
  expect(parseImageReference(text)).toBeUndefined()
})
