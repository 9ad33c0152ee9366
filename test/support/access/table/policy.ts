// Who may do what, said once more and apart from the product: what the table of requests is compared with.
// The rules behind it are `settingsWithUsers`.

/** What somebody shows of themselves. */
export const identities = [
  'no token',
  'anonymous token',
  'no JWT',
  'signed by another key',
  'expired',
  'reader',
  'writer',
  'stranger',
  'limited to other/**',
  'limited to pulls',
  'for another repository',
  'admin',
] as const

export type Identity = (typeof identities)[number]

/** Where a request goes. The last one is named by the digest of an image that only `private/app` has. */
export const places = ['public', 'private', 'content name', 'content name of a private image'] as const

export type Place = (typeof places)[number]

export type Right = 'pull' | 'push' | 'delete'

/** What a route asks for: a right in the repository, or one of the special cases. */
export type Need = Right | 'any token' | 'the catalog' | 'no bearer' | 'a password'

export type Expected =
  | { readonly kind: 'allowed' }
  /** 401; the scope that the challenge names. */
  | { readonly kind: 'challenge'; readonly scope?: string; readonly error?: string }
  /** 401 of the token service, which takes other credentials. */
  | { readonly kind: 'basic' }
  | { readonly kind: 'denied' }
  /** 400, 404 or 405: no path of the registry. */
  | { readonly kind: 'no route' }
  | { readonly kind: 'no method'; readonly allow: string }

const bad: readonly Identity[] = ['no JWT', 'signed by another key', 'expired']
const nobody: readonly Identity[] = ['no token', 'anonymous token']

/** Rights beside the pulls that everyone may make where it is not private. */
const rights: Readonly<Record<'public' | 'private', Readonly<Partial<Record<Identity, readonly Right[]>>>>> = {
  public: { writer: ['push'], admin: ['push', 'delete'] },
  private: {
    reader: ['pull'],
    writer: ['pull', 'push'],
    'limited to pulls': ['pull'],
    admin: ['pull', 'push', 'delete'],
  },
}

export function expected(identity: Identity, need: Need, place: Place, name: string): Expected {
  if (need === 'a password') return { kind: 'basic' }
  if (need === 'no bearer') return identity === 'no token' ? { kind: 'allowed' } : { kind: 'basic' }
  if (need === 'any token') {
    if (bad.includes(identity)) return { kind: 'challenge', error: 'invalid_token' }
    return identity === 'no token' ? { kind: 'challenge' } : { kind: 'allowed' }
  }
  if (need === 'the catalog') {
    const scope = 'registry:catalog:*'
    if (identity === 'anonymous token') return { kind: 'allowed' }
    if (identity === 'no token') return { kind: 'challenge', scope }
    // Nobody here has asked for it.
    return { kind: 'challenge', scope, error: bad.includes(identity) ? 'invalid_token' : 'insufficient_scope' }
  }
  const scope = `repository:${name}:${need === 'push' ? 'pull,push' : need}`
  if (bad.includes(identity)) return { kind: 'challenge', scope, error: 'invalid_token' }
  if (place !== 'private' && need === 'pull') return { kind: 'allowed' }
  // Nobody at all pushes to names of content.
  if (place !== 'private' && place !== 'public') return { kind: 'denied' }
  if (rights[place][identity]?.includes(need) === true) return { kind: 'allowed' }
  if (nobody.includes(identity)) return { kind: 'challenge', scope }
  if (identity === 'for another repository') return { kind: 'challenge', scope, error: 'insufficient_scope' }
  return { kind: 'denied' }
}
