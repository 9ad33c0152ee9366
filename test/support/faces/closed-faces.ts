// A registry with users, with every face that clients can come to: everyone may pull, users may push, and team/… is for
// alice and ci alone.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolderRecords } from '../../../origin/accounts/folder-records.ts'
import { hashPassword } from '../../../origin/accounts/password-hash.ts'
import { openTokenKeys } from '../../../origin/accounts/token-keys.ts'
import { defaultService } from '../../../shared/auth/access.ts'
import { createTokenSigner, type TokenSigner } from '../../../shared/auth/token.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'
import { type Face, faceNames, type Faces, startFaces } from './faces.ts'
import { createFakeClock } from '../fake-clock.ts'
import { temporaryFolder } from '../stack.ts'

export const passwords = { alice: 'alice-is-in-the-team', bob: 'bob-is-not' } as const

const rules = [{ repositories: ['team/**'], users: ['alice', 'ci'], rights: ['push', 'delete'] }]

export interface ClosedFaces extends Faces {
  /** HOST:PORT. */
  readonly host: (face: Face) => string
  /** HOST:PORT/NAME:latest. */
  readonly at: (face: Face, name: string) => string
  /** Signs with the origin's own key, at a time of one's choice, milliseconds since 1970. */
  readonly signerAt: (nowMs: number) => Promise<TokenSigner>
  /** Requests that were answered with a fault of the registry, of which there are none; all of them once it has ended. */
  readonly failures: () => readonly unknown[]
}

/** @param settings of the command line, beside those of access */
export async function startClosedFaces(settings: Readonly<Record<string, string>> = {}): Promise<ClosedFaces> {
  const folder = await temporaryFolder()
  const htpasswd = join(folder.path, 'htpasswd')
  const lines = Object.entries(passwords).map(async ([user, password]) => `${user}:${await hashPassword(password)}\n`)
  await writeFile(htpasswd, await Promise.all(lines))
  const faces = await startFaces({
    'access-anonymous': 'pull',
    'access-htpasswd': htpasswd,
    'access-private': 'team/**',
    'access-rules': JSON.stringify(rules),
    ...settings,
  })
  const host = (face: Face) => new URL(faces.url(face)).host
  return {
    ...faces,
    host,
    at: (face, name) => `${host(face)}/${name}:latest`,
    async signerAt(nowMs) {
      const clock = createFakeClock(nowMs)
      const keys = await openTokenKeys(createFolderRecords(join(faces.dataFolder, 'accounts')), clock, unhurried)
      return createTokenSigner({ current: () => keys.current(), service: defaultService, clock })
    },
    failures: () => faceNames.flatMap((face) => faces.log(face)).filter(({ status }) => Number(status) >= 500),
    async stop() {
      await faces.stop()
      await folder.remove()
    },
  }
}
