// The root of an image (format 1): one UnixFS directory that is at once an OCI image layout and a repository that
// Forta's Disco can clone. A pure function of the image's content. Source: DESIGN.md, "The image root".

import type { Block } from '../ports/content-store.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, digestOf, hexOf } from '../protocol/digest.ts'
import { ociIndex } from '../protocol/manifest.ts'
import type { WalkedDigest } from '../protocol/walk.ts'
import { cidOfSmallBlob } from './cid.ts'
import { directoryOf, type Entry, type Tree } from './directory-shape.ts'

/** A digest of the walk, with the file that its bytes make. */
export interface RootedDigest extends WalkedDigest {
  readonly file: Entry
}

export interface ImageRoot {
  readonly cid: Cid
  /** The nodes of its directories and the small files beside the blobs, in one order; what the blobs are made of is not among them. */
  readonly blocks: readonly Block[]
}

/** What the root says of the manifest that was pushed. */
export interface RootedManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly sizeBytes: number
}

/** @param digests the walk of the manifest */
export async function imageRoot(manifest: RootedManifest, digests: readonly RootedDigest[]): Promise<ImageRoot> {
  const blocks: Block[] = []

  async function textFile(text: string): Promise<Entry> {
    const bytes = new TextEncoder().encode(text)
    const cid = cidOfSmallBlob(await digestOf(bytes), bytes.byteLength)
    // A thousand digests make 160 KiB.
    if (cid === undefined) throw new RangeError('the file is larger than a block')
    blocks.push({ cid, bytes })
    return { cid, dagSizeBytes: bytes.byteLength }
  }

  /** `<alg>/<hex>/link` for each digest; the same bytes as in the bucket. */
  async function linksTo(chosen: readonly Digest[]): Promise<Tree> {
    const entries: [Digest, Tree][] = []
    // One after another, so that the blocks come in the same order each time.
    for (const digest of chosen) entries.push([digest, { link: await textFile(digest) }])
    return byAlgorithm(entries)
  }

  const { digest } = manifest
  const layers = digests.filter(({ asBlob }) => asBlob).map((each) => each.digest)
  const tree: Tree = {
    'oci-layout': await textFile(layoutFiles(manifest)['oci-layout']),
    'index.json': await textFile(layoutFiles(manifest)['index.json']),
    'disco.json': await textFile(discoFile(digests)),
    blobs: byAlgorithm(digests.map((each) => [each.digest, each.file])),
    _manifests: {
      revisions: await linksTo(digests.filter(({ asManifest }) => asManifest).map((each) => each.digest)),
      tags: { latest: { current: { link: await textFile(digest) }, index: await linksTo([digest]) } },
    },
    ...(layers.length === 0 ? {} : { _layers: await linksTo(layers) }),
  }
  const { top, nodes } = await directoryOf(tree)
  return { cid: top.cid, blocks: unique([...blocks, ...nodes]) }
}

/** What an OCI image layout has beside the blobs. Every character is part of the format. */
export function layoutFiles({ mediaType, digest, sizeBytes }: RootedManifest) {
  return {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({
      schemaVersion: 2,
      mediaType: ociIndex,
      manifests: [{ mediaType, digest, size: sizeBytes }],
    }),
  }
}

/** Where Disco finds the blobs; it knows sha256 only. */
function discoFile(digests: readonly RootedDigest[]): string {
  const blobs = digests
    .filter(({ digest }) => algorithmOf(digest) === 'sha256')
    .map(({ digest, file }) => ({ digest: hexOf(digest), cid: file.cid }))
  return `${JSON.stringify({ blobs })}\n`
}

function byAlgorithm(entries: readonly (readonly [Digest, Entry | Tree])[]): Tree {
  const tree: Record<string, Record<string, Entry | Tree>> = {}
  for (const [digest, entry] of entries) (tree[algorithmOf(digest)] ??= {})[hexOf(digest)] = entry
  return tree
}

function unique(blocks: readonly Block[]): Block[] {
  return [...new Map(blocks.map((block) => [block.cid, block])).values()]
}
