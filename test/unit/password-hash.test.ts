// Hashes of passwords: what other programs made is checked, and what is too weak or damaged is refused without being shown.

import { setImmediate } from 'node:timers'
import { describe, expect, test } from 'vitest'
import {
  hashPassword,
  isPassword,
  kindFault,
  parsePasswordHash,
  type PasswordHash,
  verifyPassword,
} from '../../origin/accounts/password-hash.ts'

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text)
  if (typeof hash === 'string') throw new Error(hash)
  return hash
}

/** By Apache's htpasswd 2.4, libxcrypt 4.4 and argon2 of the reference implementation; the last is of its own tests. */
const made: readonly (readonly [string, string, string])[] = [
  ['htpasswd -B', 'correct horse', '$2y$04$ZCCARQ0u0lrsegjLwEBs7.sk/VxHZKn8W4QGWqhijLLHupdzCUiwS'],
  ['crypt 2a', 'correct horse', '$2a$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6'],
  ['crypt 2b', 'correct horse', '$2b$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6'],
  ['crypt 2y', 'correct horse', '$2y$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6'],
  ['crypt, not ASCII', 'pä$$wörd ☃', '$2y$04$abcdefghijklmnopqrstuuu83D.14p6IyDtERHVG9shed93lUiJqm'],
  ['crypt, 72 bytes', 'x'.repeat(72), '$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i'],
  [
    'argon2 -id',
    'correct horse',
    '$argon2id$v=19$m=4096,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$L6c7kPn0Q0+pwt7HHxzhhB+QGg1khTPaRz9eiHBu/eM',
  ],
  [
    'argon2 -id, four lanes, 24 bytes',
    'correct horse',
    '$argon2id$v=19$m=1024,t=1,p=4$MDEyMzQ1Njc4OWFiY2RlZg$x0Lzu2K+v3fnJ0zY5qHlhCiye1bxm4Zm',
  ],
  [
    'argon2, its own test',
    'password',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  ],
]

test.each(made)('a hash by %s is that of its password, and of no other', async (_, password, text) => {
  const hash = parsed(text)
  expect(await kindFault(hash.kind)).toBeUndefined()
  expect(await verifyPassword(hash, password)).toBe(true)
  for (const other of [`${password} `, password.slice(1), password.toUpperCase()])
    expect([other, await verifyPassword(hash, other)]).toEqual([other, false])
})

test('bcrypt is asked for no password of more than 72 bytes: it would see the first 72 alone', async () => {
  const hash = parsed('$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i')
  expect(await verifyPassword(hash, 'x'.repeat(73))).toBe(false)
})

test('a new hash is argon2id, has a salt of its own, and is that of its password', async () => {
  const password = 'pä$$wörd ☃'.repeat(20)
  const [first, second] = [await hashPassword(password), await hashPassword(password)]
  expect(first).not.toBe(second)
  for (const text of [first, second]) {
    expect(text).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await verifyPassword(parsed(text), password)).toBe(true)
    expect(await verifyPassword(parsed(text), password.slice(1))).toBe(false)
  }
})

test.each(made.slice(8))('meanwhile the process goes on: %s', async (_, password, text) => goesOn(text, password))
test('meanwhile the process goes on: bcrypt', () =>
  goesOn('$2y$10$abcdefghijklmnopqrstuuu83D.14p6IyDtERHVG9shed93lUiJqm', 'correct horse'))

/** Counts turns of the event loop: of work on the thread itself there would be none. */
async function goesOn(text: string, password: string): Promise<void> {
  // Loaded before.
  await verifyPassword(parsed(text), password)
  let turns = 0
  let ended = false
  const turn = () => {
    turns += 1
    if (!ended) setImmediate(turn)
  }
  setImmediate(turn)
  await verifyPassword(parsed(text), password)
  ended = true
  expect(turns).toBeGreaterThan(3)
}

const salt = 'MDEyMzQ1Njc4OWFiY2RlZg'
const tag = 'L6c7kPn0Q0+pwt7HHxzhhB+QGg1khTPaRz9eiHBu/eM'

describe('what is no good is refused, and not shown', () => {
  test.each([
    ['$apr1$x097i2IT$s3LywNB9P3a/PPLhP4B2g1', 'an MD5 hash'],
    ['$1$x097i2IT$s3LywNB9P3a/PPLhP4B2g1', 'an MD5 hash'],
    ['{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=', 'a SHA-1 hash'],
    ['$5$4r2YBiH4yqHRCHaI$2w/RI5fA/EMmf7zESpLjt0vuoyotviRFNDCZH0dj5o0', 'a SHA-2 hash of crypt'],
    ['dWAYW5z9z273Q', 'in plain text, or a hash of another kind'],
    ['correct horse', 'in plain text, or a hash of another kind'],
    ['', 'in plain text, or a hash of another kind'],
    ['$2x$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6', 'another kind'],
    ['$2b$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs', 'a bcrypt hash that is damaged'],
    ['$2b$05$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6 ', 'a bcrypt hash that is damaged'],
    ['$2b$03$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6', 'a bcrypt hash that is damaged'],
    ['$2b$17$N9qo8uLOickgx2ZMRZoMyeySTQZHYTvN5Lzja/W0KswX.y7D.SAs6', 'cost is 17'],
    [`$argon2i$v=19$m=1024,t=1,p=1$${salt}$${tag}`, 'not argon2id'],
    [`$argon2id$m=4096,t=2,p=1$${salt}$${tag}`, 'not of version 19'],
    [`$argon2id$v=16$m=4096,t=2,p=1$${salt}$${tag}`, 'not of version 19'],
    [`$argon2id$v=19$m=4096,t=2,p=1$${salt}`, 'damaged'],
    [`$argon2id$v=19$m=4096,t=2,p=1$c2FsdA$${tag}`, 'damaged'],
    [`$argon2id$v=19$m=4096,t=2,p=1$${salt}$c2FsdA`, 'damaged'],
    [`$argon2id$v=19$m=4096,t=2,p=1,data=c2FsdA$${salt}$${tag}`, 'damaged'],
    [`$argon2id$v=19$x$m=4096,t=2,p=1$${salt}$${tag}`, 'damaged'],
    [`$argon2id$v=19$m=7,t=2,p=1$${salt}$${tag}`, 'damaged'],
    [`$argon2id$v=19$m=4096,t=0,p=1$${salt}$${tag}`, 'damaged'],
    [`$argon2id$v=19$m=4096,t=1,p=0$${salt}$${tag}`, 'damaged'],
    [`$argon2id$v=19$m=1048577,t=1,p=1$${salt}$${tag}`, 'costs too much'],
    [`$argon2id$v=19$m=4096,t=65,p=1$${salt}$${tag}`, 'costs too much'],
    [`$argon2id$v=19$m=4096,t=1,p=65$${salt}$${tag}`, 'costs too much'],
  ])('%s', (text, message) => {
    const fault = parsePasswordHash(text)
    expect(fault).toContain(message)
    for (const part of text.split('$').filter((part) => part.length > 12 || part === text))
      if (part !== '') expect(fault).not.toContain(part)
  })
})

test.each([
  ['', false],
  ['a', true],
  ['a\0', false],
  ['\0a', false],
  ['ä'.repeat(512), true],
  ['ä'.repeat(513), false],
])('whether a text may be a password: %#', (text, expected) => {
  expect(isPassword(text)).toBe(expected)
})
