// The file of users and hashes of their passwords (htpasswd), read again when it changes.

import { open, stat } from 'node:fs/promises'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { kindFault, parsePasswordHash, type PasswordHash } from './password-hash.ts'
import { isUserName, userNameRule } from '../../shared/protocol/user-name.ts'

/** How often is looked whether the file is another one, at most. */
const lookMs = 1000

const limitBytes = 16 * 1024 * 1024

export type Users = ReadonlyMap<string, PasswordHash>

export interface PasswordFile {
  /** The users as the file has them now, or had them when it was last as it should be. */
  users(): Promise<Users>
}

/** Says what is wrong with a password file, one text a fault. Never shows a hash. */
export class PasswordFileError extends Error {
  override readonly name = 'PasswordFileError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

export interface PasswordFileOptions {
  readonly file: string
  readonly clock: Clock
  readonly log: Log
}

/** Rejects with PasswordFileError where it is not as it should be, or cannot be read. */
export async function openPasswordFile({ file, clock, log }: PasswordFileOptions): Promise<PasswordFile> {
  let { version, users } = await firstRead(file)
  let lookedAt = clock.now()
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    try {
      const found = await versionOf(file)
      if (found === version) return
      const bytes = await readLimited(file)
      // As it was before it was read: what is written meanwhile makes it another version still.
      version = found
      users = await parseUsers(file, bytes)
      log.info('password file read again', { users: users.size })
    } catch (error) {
      const isFault = error instanceof PasswordFileError
      if (!isFault && version === undefined) return // Told already.
      if (!isFault) version = undefined
      log.error('the password file is of no use; the users from before stay', {}, error)
    }
  }

  return {
    async users() {
      const now = clock.now()
      if (now - lookedAt >= lookMs || now < lookedAt) {
        lookedAt = now
        looking = look().finally(() => {
          looking = undefined
        })
      }
      await looking
      return users
    },
  }
}

/** Differs between two states of a file, however they came about: written in place, or put in its place. */
async function versionOf(file: string): Promise<string> {
  const { mtimeNs, size, ino } = await stat(file, { bigint: true })
  return `${mtimeNs} ${size} ${ino}`
}

interface FileRead {
  /** Undefined once it could not be read. */
  readonly version: string | undefined
  readonly users: Users
}

async function firstRead(file: string): Promise<FileRead> {
  let version
  let bytes
  try {
    version = await versionOf(file)
    bytes = await readLimited(file)
  } catch (error) {
    throw new PasswordFileError([`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  return { version, users: await parseUsers(file, bytes) }
}

async function readLimited(file: string): Promise<Buffer> {
  // Looked at before it is opened, which would wait for somebody to write into a pipe.
  if (!(await stat(file)).isFile()) throw new Error('it is no file')
  const handle = await open(file, 'r')
  try {
    if ((await handle.stat()).size > limitBytes) throw new Error(`it has more than ${limitBytes} bytes`)
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

async function parseUsers(file: string, bytes: Uint8Array): Promise<Users> {
  let text
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new PasswordFileError([`${file} is no UTF-8`])
  }
  const users = new Map<string, PasswordHash>()
  const faults: string[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '')
    if (line.trim() === '' || line.startsWith('#')) continue
    const where = `${file}:${index + 1}`
    const colon = line.indexOf(':')
    const user = line.slice(0, Math.max(colon, 0))
    // What is no name may be a hash, so it is not shown.
    if (colon === -1) faults.push(`${where}: must be a user name, a colon and a hash`)
    else if (!isUserName(user)) faults.push(`${where}: a user name ${userNameRule}`)
    else if (users.has(user)) faults.push(`${where}: user ${user} is there more than once`)
    else {
      const hash = parsePasswordHash(line.slice(colon + 1))
      const fault = typeof hash === 'string' ? hash : await kindFault(hash.kind)
      if (fault !== undefined) faults.push(`${where}: user ${user} ${fault}; ${remedy(user)}`)
      else if (typeof hash !== 'string') users.set(user, hash)
    }
  }
  if (faults.length > 0) throw new PasswordFileError(faults)
  return users
}

function remedy(user: string): string {
  return `a good line is made by \`mirrorball user hash --user ${user}\` or \`htpasswd -nB ${user}\``
}
