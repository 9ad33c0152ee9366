// The walk: everything an image is made of, each digest once, in one order. Decides what belongs to a content name and
// what an image's root holds. Source: DESIGN.md, "The image root".

import type { Digest } from './digest.ts'
import type { Manifest } from './manifest.ts'

/** Digests; an image of more has no root. */
export const walkLimit = 1000

export interface WalkedDigest {
  readonly digest: Digest
  /** Both are true of a digest that is met both ways. */
  readonly asManifest: boolean
  readonly asBlob: boolean
}

/** How one digest is referred to, over all manifests of an image. */
interface Uses {
  asBlob: boolean
  /** Every descriptor of it says where else it can be fetched, so no registry need have it. */
  foreign: boolean
}

/**
 * The walk of the manifest `top`: a manifest, then its parts in their order, those that are manifests with their own
 * walks. What is met both as manifest and as blob is walked as a manifest where it is first met; what is foreign is left
 * out. `subject` is not followed.
 * @param manifests every manifest that `top` reaches, by digest
 * @returns undefined where a manifest is missing, or there are more than `walkLimit` digests
 */
export function walk(top: Digest, manifests: ReadonlyMap<Digest, Manifest>): readonly WalkedDigest[] | undefined {
  const reached = reachedFrom(top, manifests)
  if (reached === undefined) return undefined
  const uses = usesIn(reached, manifests)
  const walked = new Map<Digest, WalkedDigest>()

  function visit(digest: Digest): void {
    const use = uses.get(digest)
    if (walked.has(digest) || use?.foreign === true || walked.size > walkLimit) return
    const asManifest = reached?.has(digest) === true
    walked.set(digest, { digest, asManifest, asBlob: use?.asBlob === true })
    if (!asManifest) return
    for (const part of manifests.get(digest)?.parts ?? []) visit(part.digest)
  }

  visit(top)
  return walked.size > walkLimit ? undefined : [...walked.values()]
}

/** The digests that an image refers to as manifests, itself first; undefined where one is missing or there are too many. */
function reachedFrom(top: Digest, manifests: ReadonlyMap<Digest, Manifest>): ReadonlySet<Digest> | undefined {
  const reached = new Set([top])
  // A set hands out what is added while it is gone through.
  for (const digest of reached) {
    const manifest = manifests.get(digest)
    if (manifest === undefined || reached.size > walkLimit) return undefined
    for (const part of manifest.parts) if (part.kind === 'manifest' && !part.hasUrls) reached.add(part.digest)
  }
  return reached
}

function usesIn(reached: ReadonlySet<Digest>, manifests: ReadonlyMap<Digest, Manifest>): ReadonlyMap<Digest, Uses> {
  const uses = new Map<Digest, Uses>()
  for (const digest of reached) {
    for (const part of manifests.get(digest)?.parts ?? []) {
      const known = uses.get(part.digest)
      uses.set(part.digest, {
        asBlob: part.kind === 'blob' || known?.asBlob === true,
        foreign: part.hasUrls && known?.foreign !== false,
      })
    }
  }
  return uses
}
