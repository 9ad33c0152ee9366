// How clients sign in. Nearly all keep what they know in a file in the form of docker's config.json, each in one of its own.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a client is given instead of a password: an access token, or one that it gets access tokens with. */
export interface HeldToken {
  readonly kind: 'access' | 'refresh'
  readonly text: string
}

/** Hosts are HOST:PORT. */
export interface SignIn {
  /** What its user does once. Rejects with the client's message where the client asks the registry and is refused. */
  readonly login: (host: string, user: string, password: string) => Promise<void>
  /** Forgets everything about every host. */
  readonly signOut: () => Promise<void>
  /** Rejects where the client has no place for a token of this kind. */
  readonly useToken: (host: string, token: HeldToken) => Promise<void>
}

export interface CredentialFile extends Pick<SignIn, 'signOut' | 'useToken'> {
  readonly path: string
  /** For a client that is to use it. */
  readonly environment: Readonly<Record<string, string>>
}

/** @param folder of the client's own; it is made where it is not there */
export async function createCredentialFile(folder: string): Promise<CredentialFile> {
  const path = join(folder, 'config.json')
  await mkdir(folder, { recursive: true })
  const write = (auths: object) => writeFile(path, JSON.stringify({ auths }))
  await write({})
  return {
    path,
    environment: { DOCKER_CONFIG: folder, REGISTRY_AUTH_FILE: path, HELM_REGISTRY_CONFIG: path },
    signOut: () => write({}),
    useToken(host, { kind, text }) {
      // As docker writes it after a login: a name, and an empty password.
      const refresh = { auth: Buffer.from('somebody:').toString('base64'), identitytoken: text }
      return write({ [host]: kind === 'access' ? { registrytoken: text } : refresh })
    },
  }
}
