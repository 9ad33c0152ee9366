// What a registry has to hold after the requests it accepted: kept from the answers, and from the requests alone.

import { hash } from 'node:crypto'

export interface Model {
  /** Digests of the blobs of each repository. */
  readonly blobs: Membership
  /** Digests of the manifests of each repository. */
  readonly manifests: Membership
  /** What each tag of each repository names. */
  readonly tags: Map<string, Map<string, string>>
  /** Open uploads by id. */
  readonly sessions: Map<string, { readonly name: string; readonly bytes: Uint8Array }>
  /** The bytes of every digest that was ever pushed anywhere. */
  readonly content: Map<string, Uint8Array>
}

type Membership = Map<string, Set<string>>

export function createModel(): Model {
  return { blobs: new Map(), manifests: new Map(), tags: new Map(), sessions: new Map(), content: new Map() }
}

export function join(members: Membership, name: string, digest: string): void {
  members.set(name, (members.get(name) ?? new Set()).add(digest))
}

export function belongs(members: Membership, name: string, digest: string): boolean {
  return members.get(name)?.has(digest) ?? false
}

/** The digest of bytes, of the algorithm that another digest is of. */
export function digestLike(digest: string, bytes: Uint8Array): string {
  const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256'
  return `${algorithm}:${hash(algorithm, bytes)}`
}

/** What a manifest names; read here apart from the registry's own parser. */
export function manifestOf(bytes: Uint8Array): { readonly blobs: string[]; readonly subject: string | undefined } {
  interface Descriptor {
    readonly mediaType: string
    readonly digest: string
    readonly urls?: string[]
  }
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    config?: Descriptor
    layers?: Descriptor[]
    manifests?: Descriptor[]
    subject?: Descriptor
  }
  const isManifest = ({ mediaType }: Descriptor) => /\.(manifest|index)\.(v1|v2|list\.v2)\+json$/.test(mediaType)
  const named = [
    ...(document.config === undefined ? [] : [document.config]),
    ...(document.layers ?? []),
    ...(document.manifests ?? []).filter((entry) => !isManifest(entry)),
  ]
  const blobs = named.filter(({ urls = [] }) => urls.length === 0).map(({ digest }) => digest)
  return { blobs, subject: document.subject?.digest }
}
