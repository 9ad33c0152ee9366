// What fuzzed requests are made of. Small pools, so that requests meet what others pushed.

import { hash } from 'node:crypto'
import { ociIndexType, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

/** Names of repositories, the last of which nobody may push to. */
export const names = ['a', 'a/b', 'token', 'blobs/uploads/list', 'f'.repeat(64)] as const

export const tags = ['latest', 'v1', '1.0-alpine', 'uploads'] as const

export const contents: readonly Uint8Array<ArrayBuffer>[] = ['', '{}', 'layer', 'x'.repeat(3000)].map(bytesOf)

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'utf8'))
}

const descriptor = (mediaType: string, bytes: Uint8Array) => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.byteLength,
})
const layer = (at: number) => descriptor('application/vnd.oci.image.layer.v1.tar', contents[at] ?? bytesOf(''))
const config = descriptor('application/vnd.oci.empty.v1+json', bytesOf('{}'))
const image = (extra: object) =>
  bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, config, ...extra }))
const bare = image({ layers: [] })
const subject = descriptor(ociManifestType, bare)

export const manifests: readonly Uint8Array<ArrayBuffer>[] = [
  bare,
  image({ layers: [layer(2)] }),
  image({ layers: [layer(0), layer(3)], annotations: { a: 'b' } }),
  image({ layers: [], subject, artifactType: 'application/x.sbom' }),
  image({ layers: [{ ...layer(1), digest: sha256('elsewhere'), urls: ['https://example.com/'] }] }),
  bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [subject] })),
  bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [layer(2)], subject })),
]

/** Every digest that a request may meet; the last two of nothing. */
export const digests: readonly string[] = [
  ...contents.map(sha256),
  ...manifests.map(sha256),
  `sha512:${hash('sha512', 'layer')}`,
  sha256('never pushed'),
  `sha512:${hash('sha512', 'never pushed')}`,
]

/** Texts that parsers stumble over. */
export const oddTexts = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%00',
  '%',
  '%zz',
  '%c0%af',
  '%2F',
  '//',
  'A',
  '_',
  '-',
  'uploads',
  'constructor',
  '__proto__',
  'sha256:',
  'sha256:abc',
  `md5:${'0'.repeat(32)}`,
  `SHA256:${'0'.repeat(64)}`,
  `sha256:${'0'.repeat(63)}`,
  't'.repeat(128),
  't'.repeat(129),
  'a/'.repeat(128),
  'é',
  '😀',
  '-1',
  '0',
  '1e3',
  '9'.repeat(30),
  '0-',
  '0-0',
  '0-4',
  'bytes=0-1',
  'bytes=1-',
  'bytes=-2',
  'bytes=9-',
  'bytes=0-0,2-3',
  'bytes 0-4/5',
  '*',
  'W/"x"',
  'text/html; charset=utf-8',
  'null',
] as const
