// What a root says of its image: which manifest it is, and what IPFS calls the blobs. Reads roots of format 1, those of
// Forta's Disco, and plain OCI image layouts. None of it is believed: every blob is hashed against its digest.

import * as v from 'valibot'
import { parseLink } from '../layout/keys.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, digestFrom, parseDigest } from '../protocol/digest.ts'
import { parseJson } from '../protocol/json.ts'
import { parseCid } from './cid.ts'
import { UnusableContent } from './content-errors.ts'
import type { VerifiedDag } from './verified-blocks.ts'

export interface RootedImage {
  readonly manifest: Digest
  /** What IPFS may call a blob, the likeliest first; the root may lie about each. */
  cidsOf(digest: Digest): readonly Cid[]
  /** Names that it gives. */
  readonly count: number
}

/** Bytes of the small files in a root. */
const linkLimitBytes = 256
const listLimitBytes = 4 * 1024 * 1024

const discoSchema = v.object({ blobs: v.array(v.object({ digest: v.string(), cid: v.string() })) })
const layoutSchema = v.object({ manifests: v.tuple([v.object({ digest: v.string() })]) })

/** Rejects as the DAG does, and with UnusableContent where the root is no image. */
export async function readRootedImage(dag: VerifiedDag, root: Cid, wait: Wait): Promise<RootedImage> {
  const manifest = await manifestUnder(dag, root, wait)
  if (manifest === undefined) throw new UnusableContent(root, 'it is no image: it names no manifest')
  const [listed, disco] = await Promise.all([layoutFiles(dag, root, wait), discoFiles(dag, root, wait)])
  return {
    manifest,
    count: listed.size + disco.size,
    cidsOf(digest) {
      const cids = [listed.get(digest), disco.get(digest)].filter((cid) => cid !== undefined)
      return [...new Set(cids)]
    },
  }
}

async function manifestUnder(dag: VerifiedDag, root: Cid, wait: Wait): Promise<Digest | undefined> {
  const link = await dag.smallFile(root, ['_manifests', 'tags', 'latest', 'current', 'link'], linkLimitBytes, wait)
  if (link !== undefined) return parseLink(link)
  const layout = await dag.smallFile(root, ['index.json'], listLimitBytes, wait)
  const parsed = v.safeParse(layoutSchema, layout && parseJson(layout))
  return parsed.success ? parseDigest(parsed.output.manifests[0].digest) : undefined
}

/** The files of an OCI image layout. */
async function layoutFiles(dag: VerifiedDag, root: Cid, wait: Wait): Promise<ReadonlyMap<Digest, Cid>> {
  const files = new Map<Digest, Cid>()
  for (const algorithm of ['sha256', 'sha512'] as const) {
    for (const { name, cid } of (await dag.list(root, ['blobs', algorithm], wait)) ?? []) {
      const digest = parseDigest(digestFrom(algorithm, name))
      if (digest !== undefined) files.set(digest, cid)
    }
  }
  return files
}

/** What `disco.json` says; nothing where it is missing or damaged. */
async function discoFiles(dag: VerifiedDag, root: Cid, wait: Wait): Promise<ReadonlyMap<Digest, Cid>> {
  const file = await dag.smallFile(root, ['disco.json'], listLimitBytes, wait)
  const parsed = v.safeParse(discoSchema, file && parseJson(file))
  const files = new Map<Digest, Cid>()
  for (const each of parsed.success ? parsed.output.blobs : []) {
    const [digest, cid] = [parseDigest(`sha256:${each.digest}`), parseCid(each.cid)]
    if (digest !== undefined && cid !== undefined) files.set(digest, cid)
  }
  return files
}
