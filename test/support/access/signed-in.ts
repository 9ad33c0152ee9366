// Users of a registry, each with a personal access token, and what the rules give them.

import { join } from 'node:path'
import { createFolderRecords } from '../../../origin/accounts/folder-records.ts'
import { openTokens } from '../../../origin/accounts/token-store.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'
import type { TokenLimit } from '../../../shared/ports/accounts.ts'
import { type Face, type Faces, startFaces } from '../faces/faces.ts'
import { pushImage, type SmallImage } from '../http-client.ts'

/** Everyone pulls what is public; who pushes, deletes and sees `private/**` is said by rules. */
export const settingsWithUsers = {
  'access-anonymous': 'pull',
  'access-private': 'private/**',
  'access-delete': 'false',
  'access-rules': JSON.stringify([
    { repositories: ['private/**'], users: ['reader'], rights: ['pull'] },
    { repositories: ['public/app', 'private/app'], users: ['writer', 'second'], rights: ['push'] },
    { repositories: ['other/**'], users: ['stranger'], rights: ['push'] },
    { repositories: ['**'], users: ['admin'], rights: ['push', 'delete'] },
  ]),
} as const

/** Makes a personal access token beside a running origin; returns its secret. */
export async function makePersonalToken(
  dataFolder: string,
  user: string,
  limits?: readonly TokenLimit[],
): Promise<string> {
  const tokens = openTokens(createFolderRecords(join(dataFolder, 'accounts')))
  return (await tokens.create({ user, created: new Date(), limits }, unhurried)).text
}

export function basic(user: string, secret: string): { readonly Authorization: string } {
  return { Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` }
}

export function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` }
}

/** Answer of the token service. */
export interface TokenDocument {
  readonly token: string
  readonly refresh_token?: string
}

/** A token from the token service at `base`. Rejects where it is refused. */
export async function tokenFrom(
  base: string,
  scopes: readonly string[],
  headers: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, string>> = {},
): Promise<TokenDocument> {
  const query = new URLSearchParams(more)
  for (const scope of scopes) query.append('scope', scope)
  const response = await fetch(`${base}/token?${query.toString()}`, { headers })
  if (response.status !== 200) throw new Error(`/token was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as TokenDocument
}

/** A token of a user for everything in some repositories. */
export async function signIn(
  base: string,
  dataFolder: string,
  user: string,
  names: readonly string[],
  limits?: readonly TokenLimit[],
): Promise<string> {
  const secret = await makePersonalToken(dataFolder, user, limits)
  const scopes = names.map((name) => `repository:${name}:pull,push,delete`)
  return (await tokenFrom(base, scopes, basic(user, secret))).token
}

/** A registry with these users at every face. */
export interface FacesWithUsers extends Faces {
  /** `private/app:v1`. */
  readonly image: SmallImage
  /** Headers of a user who signed in at a face, for everything in some repositories. */
  readonly as: (face: Face, user: string, ...names: readonly string[]) => Promise<{ readonly Authorization: string }>
}

export async function startFacesWithUsers(): Promise<FacesWithUsers> {
  const faces = await startFaces(settingsWithUsers)
  const as: FacesWithUsers['as'] = async (face, user, ...names) =>
    bearer(await signIn(faces.url(face), faces.dataFolder, user, names))
  try {
    const admin = await as('origin', 'admin', 'private/app')
    return { ...faces, as, image: await pushImage(faces.url('origin'), 'private/app', 'v1', 'secret', admin) }
  } catch (error) {
    await faces.stop()
    throw error
  }
}
