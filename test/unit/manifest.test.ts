// Manifests: what is taken at a push, what one refers to, and what a stored one is served as.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { manifestMediaTypes, parseManifest, storedMediaType } from '../../shared/protocol/manifest.ts'
import { sha256 } from '../support/arbitraries.ts'

const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
const ociIndex = 'application/vnd.oci.image.index.v1+json'
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json'
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'

const descriptor = (content: string, mediaType = 'application/octet-stream', extra: object = {}) => ({
  mediaType,
  digest: sha256(content),
  size: content.length,
  ...extra,
})
const parsed = (content: string, mediaType = 'application/octet-stream', hasUrls = false) => ({
  mediaType,
  digest: sha256(content),
  sizeBytes: content.length,
  hasUrls,
})
const blob = (content: string, mediaType?: string) => ({ ...parsed(content, mediaType), kind: 'blob' })
const manifest = (content: string, mediaType?: string) => ({ ...parsed(content, mediaType), kind: 'manifest' })
const bytes = (document: unknown) => new TextEncoder().encode(JSON.stringify(document))
const image = { schemaVersion: 2, mediaType: ociManifest, config: descriptor('config'), layers: [descriptor('layer')] }
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [descriptor('child', ociManifest)] }
const without = (document: object, field: string) =>
  Object.fromEntries(Object.entries(document).filter(([name]) => name !== field))
const refused = expect.objectContaining({ name: 'OciError', code: 'MANIFEST_INVALID', status: 400 })

test('the media types that a push may have are those of OCI and of Docker, images and indexes', () => {
  expect([...manifestMediaTypes].sort()).toEqual([dockerList, dockerManifest, ociIndex, ociManifest].sort())
})

describe('a manifest that is taken', () => {
  test('of an image needs its config and its layers, in their order', () => {
    const layers = [descriptor('b'), descriptor('a'), descriptor('b')]
    expect(parseManifest(bytes({ ...image, layers }), ociManifest)).toEqual({
      mediaType: ociManifest,
      parts: [blob('config'), blob('b'), blob('a'), blob('b')],
      subject: undefined,
      artifactType: parsed('config').mediaType,
      annotations: undefined,
    })
  })

  test('of an artifact without layers needs its config', () => {
    const artifact = { ...image, artifactType: 'application/example', layers: [], subject: descriptor('not there') }
    expect(parseManifest(bytes(artifact), ociManifest).parts).toEqual([blob('config')])
  })

  test('of an index needs none of its manifests, but its other entries as blobs (BuildKit caches)', () => {
    const cache = 'application/vnd.buildkit.cacheconfig.v0'
    const manifests = [descriptor('a', ociManifest), descriptor('b', cache), descriptor('c', dockerList)]
    expect(parseManifest(bytes({ ...index, manifests }), ociIndex)).toEqual({
      mediaType: ociIndex,
      parts: [manifest('a', ociManifest), blob('b', cache), manifest('c', dockerList)],
    })
  })

  test('of an empty index refers to nothing', () => {
    expect(parseManifest(bytes({ ...index, manifests: [] }), ociIndex)).toEqual({
      mediaType: ociIndex,
      parts: [],
    })
  })

  test.each([
    ['urls', { urls: ['https://example.com/layer'] }, true],
    ['an empty list of urls', { urls: [] }, false],
    ['urls that are null, as Go writes', { urls: null }, false],
    ['annotations and a platform', { annotations: { a: 'b' }, platform: { os: 'linux' } }, false],
  ])('may have a descriptor with %s: can be fetched elsewhere: %3$s', (_, extra, hasUrls) => {
    const { parts } = parseManifest(bytes({ ...image, layers: [descriptor('layer', 'a/b', extra)] }), undefined)
    expect(parts[1]).toEqual({ ...parsed('layer', 'a/b', hasUrls), kind: 'blob' })
  })

  test.each([
    ['an OCI image without mediaType', without(image, 'mediaType'), undefined, ociManifest],
    ['an OCI index without mediaType', without(index, 'mediaType'), undefined, ociIndex],
    ['a Docker image', { ...image, mediaType: dockerManifest }, dockerManifest, dockerManifest],
    ['a Docker list', { ...index, mediaType: dockerList }, dockerList, dockerList],
    ['one sent without Content-Type', image, undefined, ociManifest],
    ['one sent with an empty Content-Type', image, '', ociManifest],
    ['one sent with parameters', image, `${ociManifest}; charset=utf-8`, ociManifest],
    ['one sent in upper case', image, ociManifest.toUpperCase(), ociManifest],
    ['one with fields we do not know', { ...image, future: { a: [1] } }, ociManifest, ociManifest],
  ])('may be %s', (_, document, contentType, mediaType) => {
    expect(parseManifest(bytes(document), contentType).mediaType).toBe(mediaType)
  })
})

describe('a manifest is refused', () => {
  test.each([
    ['another version', { ...image, schemaVersion: 1 }],
    ['no version', without(image, 'schemaVersion')],
    ['a version that is text', { ...image, schemaVersion: '2' }],
    ['no config', without(image, 'config')],
    ['no layers', without(image, 'layers')],
    ['layers that are no list', { ...image, layers: {} }],
    ['an index without manifests', without(index, 'manifests')],
    ['nothing that says what it is', { schemaVersion: 2 }],
    ['only a config', { schemaVersion: 2, config: descriptor('config') }],
    ['a media type we do not take', { ...image, mediaType: 'application/json' }],
    ['a media type that is none', { ...image, mediaType: 'manifest' }],
    ['an empty media type', { ...image, mediaType: '' }],
    ['the media type of an index', { ...image, mediaType: ociIndex }],
    ['the media type of an image', { ...index, mediaType: ociManifest }],
    ['manifests in an image (CVE-2021-41190)', { ...image, manifests: [] }],
    ['layers in an index (CVE-2021-41190)', { ...index, layers: [] }],
    ['a config in an index (CVE-2021-41190)', { ...index, config: descriptor('config') }],
    ['Docker’s schema 1', { schemaVersion: 1, fsLayers: [], history: [], name: 'a', tag: 'b' }],
  ])('with %s', (_, document) => {
    expect(() => parseManifest(bytes(document), undefined)).toThrow(refused)
  })

  test.each([
    ['a digest that is none', { digest: 'sha256:abc' }],
    ['a digest in upper case', { digest: sha256('a').toUpperCase() }],
    ['no digest', { digest: undefined }],
    ['a digest that is a number', { digest: 5 }],
    ['no size', { size: undefined }],
    ['a negative size', { size: -1 }],
    ['a size that is no whole number', { size: 1.5 }],
    ['a size that is text', { size: '5' }],
    ['a size that is not exact', { size: 2 ** 53 }],
    ['no media type', { mediaType: undefined }],
    ['a media type without a slash', { mediaType: 'layer' }],
    ['a media type with a newline', { mediaType: 'a/b\nX-Evil: 1' }],
    ['urls that are no list', { urls: 'https://example.com' }],
  ])('with %s in any of its descriptors', (_, fault) => {
    const bad = { ...descriptor('x'), ...fault }
    expect(() => parseManifest(bytes({ ...image, config: bad }), undefined)).toThrow(refused)
    expect(() => parseManifest(bytes({ ...image, layers: [descriptor('good'), bad] }), undefined)).toThrow(refused)
    expect(() => parseManifest(bytes({ ...index, manifests: [descriptor('good'), bad] }), undefined)).toThrow(refused)
  })

  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['an HTML page', '<html></html>'],
    ['half a document', JSON.stringify(image).slice(0, -1)],
    ['more behind the document', `${JSON.stringify(image)}x`],
    ['a byte order mark', `\uFEFF${JSON.stringify(image)}`],
    ['null', 'null'],
    ['a list', `[${JSON.stringify(image)}]`],
    ['a text in quotes', '"manifest"'],
    ['a million brackets', '['.repeat(1_000_000)],
  ])('that is %s', (_, text) => {
    expect(() => parseManifest(new TextEncoder().encode(text), undefined)).toThrow(refused)
  })

  test('that is no UTF-8', () => {
    const broken = bytes({ ...image, annotations: { note: 'x' } })
    broken[broken.lastIndexOf('x'.charCodeAt(0))] = 0xff
    expect(() => parseManifest(broken, undefined)).toThrow(refused)
  })

  test.each([ociIndex, dockerManifest, 'application/json', 'text/plain', '*/*'])(
    'that is an OCI image sent as %s',
    (contentType) => {
      expect(() => parseManifest(bytes(image), contentType)).toThrow(refused)
    },
  )

  test('with the path of each fault, at most five', () => {
    const layers = Array.from({ length: 9 }, () => descriptor('x', 'bad'))
    expect(() => parseManifest(bytes({ ...image, layers }), undefined)).toThrow(
      /layers\.0\.mediaType.*layers\.4\.mediaType[^.]*$/,
    )
  })

  test('with an OciError, whatever the bytes are', () => {
    const documents = fc.oneof(
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc.uint8Array(),
    )
    fc.assert(
      fc.property(documents, (each) => {
        expect(() => parseManifest(each, undefined)).toThrow(refused)
      }),
    )
  })
})

test.each([
  ['its own mediaType', JSON.stringify(image), ociManifest],
  ['a mediaType we would not take', '{"mediaType":"application/vnd.example.thing"}', 'application/vnd.example.thing'],
  ['an image by its fields', JSON.stringify(without(image, 'mediaType')), ociManifest],
  ['an index by its fields', JSON.stringify(without(index, 'mediaType')), ociIndex],
  ['Docker’s schema 1', '{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
  ['JSON, where nothing says more', '{}', 'application/json'],
  ['JSON, where it is broken', '{', 'application/json'],
  ['no header of the pusher’s choice', '{"mediaType":"a/b\\r\\nX-Evil: 1"}', 'application/json'],
])('a stored manifest is served as %s', (_, text, expected) => {
  expect(storedMediaType(new TextEncoder().encode(text))).toBe(expected)
})
