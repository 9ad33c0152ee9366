// Hashes of passwords, as they stand in a password file: bcrypt and argon2id. Both are computed on threads of Node's pool,
// never on the one that serves requests.

import crypto, { type Argon2Parameters, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export type PasswordHash = BcryptHash | Argon2idHash

interface BcryptHash {
  readonly kind: 'bcrypt'
  readonly text: string
}

interface Argon2idHash {
  readonly kind: 'argon2id'
  readonly text: string
  readonly cost: Argon2Cost
  readonly salt: Buffer
  readonly tag: Buffer
}

type Argon2Cost = Pick<Argon2Parameters, 'memory' | 'passes' | 'parallelism'>

/** What a new hash costs: 19 MiB and about 30 ms. OWASP, Password Storage Cheat Sheet, the least for argon2id. */
const ownCost: Argon2Cost = { memory: 19_456, passes: 2, parallelism: 1 }
const ownSaltBytes = 16
const ownTagBytes = 32

/** Costs above these would keep everybody else waiting: a check takes seconds then. */
const limits = { bcryptCost: 16, memoryKib: 1_048_576, passes: 64, parallelism: 64 }

/** Bcrypt sees no more of a password than this. */
const bcryptLimitBytes = 72

/** A longer password is none that anybody types or keeps. */
const passwordLimitBytes = 1024

/** A hash that can be checked, or as a text what is wrong with it. The text never shows the hash. */
export function parsePasswordHash(text: string): PasswordHash | string {
  if (/^\$2[aby]\$/.test(text)) return parseBcrypt(text)
  if (text.startsWith('$argon2id$')) return parseArgon2id(text)
  return `has ${otherKind(text)}; only bcrypt and argon2id are taken`
}

function parseBcrypt(text: string): PasswordHash | string {
  const cost = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text)?.[1]
  if (cost === undefined || Number(cost) < 4) return 'has a bcrypt hash that is damaged'
  if (Number(cost) > limits.bcryptCost)
    return `has a bcrypt hash whose cost is ${cost}; at most ${limits.bcryptCost} is taken`
  return { kind: 'bcrypt', text }
}

function parseArgon2id(text: string): PasswordHash | string {
  const version = /^\$argon2id\$v=(\d{1,4})\$/.exec(text)?.[1]
  const parts = /\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (version !== '19' || parts === null) return 'has an argon2id hash that is damaged, or not of version 19'
  const [memory, passes, parallelism] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  const [salt, tag] = [Buffer.from(parts[4] ?? '', 'base64'), Buffer.from(parts[5] ?? '', 'base64')]
  const isWhole = `$argon2id$v=19${parts[0]}` === text && salt.length >= 8 && tag.length >= 16 && tag.length <= 128
  if (!isWhole || passes < 1 || parallelism < 1 || memory < 8 * parallelism)
    return 'has an argon2id hash that is damaged'
  if (memory > limits.memoryKib || passes > limits.passes || parallelism > limits.parallelism)
    return `has an argon2id hash that costs too much; at most m=${limits.memoryKib},t=${limits.passes},p=${limits.parallelism} is taken`
  return { kind: 'argon2id', text, cost: { memory, passes, parallelism }, salt, tag }
}

/** What somebody has who has none of ours. */
function otherKind(text: string): string {
  if (/^\$(?:apr1|1)\$/.test(text)) return 'an MD5 hash'
  if (text.startsWith('{SHA}')) return 'a SHA-1 hash'
  if (/^\$[56]\$/.test(text)) return 'a SHA-2 hash of crypt'
  if (/^\$argon2[di]\$/.test(text)) return 'an argon2 hash that is not argon2id'
  return 'a password in plain text, or a hash of another kind'
}

/** Whether a text may be a password at all. NUL ends a password early in some programs that make hashes. */
export function isPassword(text: string): boolean {
  return text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= passwordLimitBytes
}

/** @param password one of which `isPassword` is true */
export async function verifyPassword(hash: PasswordHash, password: string): Promise<boolean> {
  const bytes = Buffer.from(password)
  if (hash.kind === 'argon2id')
    return timingSafeEqual(await argon2id(bytes, hash.salt, hash.cost, hash.tag.length), hash.tag)
  // Cut there, it would be the password of everybody who knows its beginning.
  if (bytes.length > bcryptLimitBytes) return false
  const { default: bcrypt } = await import('bcrypt')
  // PHP and Apache call `2y` what others call `2b`.
  return bcrypt.compare(bytes, hash.text.replace(/^\$2[ay]/, '$2b'))
}

/** A new argon2id hash of a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(ownSaltBytes)
  const tag = await argon2id(Buffer.from(password), salt, ownCost, ownTagBytes)
  const { memory, passes, parallelism } = ownCost
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Why hashes of this kind cannot be checked here; undefined where they can. */
export async function kindFault(kind: PasswordHash['kind']): Promise<string | undefined> {
  if (kind === 'argon2id')
    return typeof crypto.argon2 === 'function'
      ? undefined
      : 'has an argon2id hash, for which Node 24.7 or newer is needed'
  try {
    await import('bcrypt')
    return undefined
  } catch {
    return `has a bcrypt hash, and there is no bcrypt for ${process.platform}-${process.arch}; argon2id is taken`
  }
}

function argon2id(message: Buffer, nonce: Buffer, cost: Argon2Cost, tagLength: number): Promise<Buffer> {
  // Asked for when it is called: Node before 24.7 has no such function, and must be able to load this file.
  return promisify(crypto.argon2)('argon2id', { message, nonce, ...cost, tagLength })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}
