// Personal access tokens as their owners have them: `mbp_<id>_<secret><checksum>`. The prefix lets scanners of source code
// find those that were published by mistake; the checksum tells a token from a text that looks like one.

import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const prefix = 'mbp_'
const idDigits = 'abcdefghijklmnopqrstuvwxyz234567'
const idLength = 12
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 256 bits. */
const secretLength = 43
/** 32 bits. */
const checksumLength = 6

const idPattern = new RegExp(`^[a-z2-7]{${idLength}}$`)
const textPattern = new RegExp(
  `^${prefix}([a-z2-7]{${idLength}})_([0-9A-Za-z]{${secretLength}})([0-9A-Za-z]{${checksumLength}})$`,
)

export interface TokenText {
  /** Names the token, and its file. */
  readonly id: string
  readonly secret: string
}

/** Whether a text is meant as a token, if perhaps a damaged one; no such text is taken for a password. */
export function isMeantAsToken(text: string): boolean {
  return text.startsWith(prefix)
}

export function isTokenId(text: string): boolean {
  return idPattern.test(text)
}

export function newTokenText(): TokenText {
  return { id: randomText(idDigits, idLength), secret: randomText(digits, secretLength) }
}

export function formatTokenText({ id, secret }: TokenText): string {
  return `${prefix}${id}_${secret}${checksum(id, secret)}`
}

/** Undefined where it is no token, or the checksum is not that of it. */
export function parseTokenText(text: string): TokenText | undefined {
  const [, id, secret, sum] = textPattern.exec(text) ?? []
  if (id === undefined || secret === undefined || sum !== checksum(id, secret)) return undefined
  return { id, secret }
}

function checksum(id: string, secret: string): string {
  let rest = crc32(`${prefix}${id}_${secret}`)
  let text = ''
  for (let place = 0; place < checksumLength; place++) {
    text = `${digits[rest % digits.length] ?? ''}${text}`
    rest = Math.floor(rest / digits.length)
  }
  return text
}

function randomText(from: string, length: number): string {
  return Array.from({ length }, () => from[randomInt(from.length)]).join('')
}
