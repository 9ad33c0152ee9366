// A small set of content that uses all of a registry's storage layout, and what one can ask a registry about it. Plain
// HTTP: it works on every registry.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ociIndexType, ociManifestType, pushImage, putManifest, type SmallImage } from './http-client.ts'
import { sha256 } from './image.ts'

interface Manifest {
  readonly text: string
  readonly type: string
}

export interface Repository {
  readonly name: string
  readonly tags: Readonly<Record<string, Manifest>>
  readonly blobs: readonly string[]
}

/** Pushes images, an index, tags that share a manifest, and a name of several components. */
export async function pushContent(base: string): Promise<readonly Repository[]> {
  const nested = 'team/app/web'
  const first = await pushImage(base, nested, 'v1', 'first')
  const second = await pushImage(base, nested, 'v2', 'second')
  await put(base, nested, 'latest', asManifest(first))
  const index = indexOf(first, second)
  await put(base, nested, 'multi', index)
  // `1.0-alpine/` sorts before `1.0/`, `1.0` before `1.0-alpine`.
  const other = await pushImage(base, 'base', '1.0', 'other')
  await put(base, 'base', '1.0-alpine', asManifest(other))
  return [
    { name: 'base', tags: { '1.0': asManifest(other), '1.0-alpine': asManifest(other) }, blobs: blobsOf(other) },
    {
      name: nested,
      tags: { latest: asManifest(first), multi: index, v1: asManifest(first), v2: asManifest(second) },
      blobs: blobsOf(first, second),
    },
  ]
}

export function asManifest({ manifest }: SmallImage): Manifest {
  return { text: manifest, type: ociManifestType }
}

export function blobsOf(...images: readonly SmallImage[]): readonly string[] {
  return images.flatMap(({ config, layer }) => [config, layer])
}

function indexOf(...images: readonly SmallImage[]): Manifest {
  const manifests = images.map(({ manifest, digest }, at) => ({
    mediaType: ociManifestType,
    digest,
    size: Buffer.byteLength(manifest),
    platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
  }))
  return { text: JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests }), type: ociIndexType }
}

async function put(base: string, name: string, tag: string, { text, type }: Manifest): Promise<void> {
  const response = await putManifest(base, name, tag, text, type)
  if (response.status !== 201)
    throw new Error(`${name}:${tag} was answered ${response.status}: ${await response.text()}`)
}

/** What a registry has to answer about a repository that it serves. */
export const questions: readonly {
  readonly what: string
  readonly ask: (base: string, repository: Repository) => Promise<void>
}[] = [
  {
    what: 'manifests by tag',
    async ask(base, { name, tags }) {
      for (const [tag, manifest] of Object.entries(tags)) await expectManifest(base, name, tag, manifest)
    },
  },
  {
    what: 'manifests by digest',
    async ask(base, { name, tags }) {
      for (const manifest of Object.values(tags)) await expectManifest(base, name, sha256(manifest.text), manifest)
    },
  },
  {
    what: 'blobs',
    async ask(base, { name, blobs }) {
      for (const blob of blobs) {
        const url = `${base}/v2/${name}/blobs/${sha256(blob)}`
        const head = await fetch(url, { method: 'HEAD' })
        expect([head.status, head.headers.get('Content-Length')]).toEqual([200, `${Buffer.byteLength(blob)}`])
        const response = await fetch(url)
        expect([response.status, await response.text()]).toEqual([200, blob])
      }
    },
  },
  {
    what: 'its tags, sorted',
    async ask(base, { name, tags }) {
      const response = await fetch(`${base}/v2/${name}/tags/list`)
      expect([response.status, await response.json()]).toEqual([200, { name, tags: Object.keys(tags).sort() }])
    },
  },
]

async function expectManifest(base: string, name: string, reference: string, { text, type }: Manifest): Promise<void> {
  for (const method of ['HEAD', 'GET']) {
    const response = await fetch(`${base}/v2/${name}/manifests/${reference}`, { method, headers: { Accept: type } })
    const answer = {
      status: response.status,
      type: response.headers.get('Content-Type'),
      digest: response.headers.get('Docker-Content-Digest'),
      length: response.headers.get('Content-Length'),
      text: await response.text(),
    }
    expect(answer).toEqual({
      status: 200,
      type,
      digest: sha256(text),
      length: `${Buffer.byteLength(text)}`,
      text: method === 'HEAD' ? '' : text,
    })
  }
}

/** Every file under a folder with the hash of its content. */
export async function filesIn(folder: string): Promise<Readonly<Record<string, string>>> {
  return lookAtFilesIn(folder, async (file) =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  )
}

/**
 * Every file under a folder, in a fixed order, with what a look at it shows. A server may be at work in the folder: what
 * is deleted between the listing and the look is not there. (Node's recursive listing rejects when a folder goes away.)
 */
export async function lookAtFilesIn<T>(
  folder: string,
  look: (file: string) => Promise<T>,
): Promise<Readonly<Record<string, T>>> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))
  const found = entries.map(async (entry): Promise<readonly (readonly [string, T])[]> => {
    const path = join(folder, entry.name)
    if (entry.isFile()) return [[entry.name, await look(path)]]
    if (!entry.isDirectory()) return []
    return Object.entries(await lookAtFilesIn(path, look)).map(([name, seen]) => [join(entry.name, name), seen])
  })
  return Object.fromEntries((await Promise.all(found.map(unlessGone))).flat())
}

async function unlessGone<T>(found: Promise<readonly T[]>): Promise<readonly T[]> {
  return found.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
}
