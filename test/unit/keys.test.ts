// Keys of the bucket: their exact form (CNCF Distribution's layout), that each parser undoes its builder, and that no key
// a stranger sends leads out of the bucket's folder.

import { join, resolve, sep } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blobKey,
  layerLinkKey,
  linkContent,
  parseBlobKey,
  parseKey,
  parseKeyPrefix,
  parseLink,
  parseTagFolder,
  revisionLinkKey,
  tagIndexLinkKey,
  tagLinkKey,
  tagsPrefix,
  uploadKey,
} from '../../shared/layout/keys.ts'
import { charactersOf, digest, digests, repository, repositoryNames, tag, tags } from '../support/arbitraries.ts'

const hex = '0123456789abcdef'.repeat(4)
const sample = digest(`sha256:${hex}`)
const name = repository('library/alpine')
const root = 'docker/registry/v2'
const uploadIds = fc.uuid()

describe('the key', () => {
  const repositoryRoot = `${root}/repositories/library/alpine`
  test.each([
    ['of a blob', blobKey(sample), `${root}/blobs/sha256/01/${hex}/data`],
    ['of a layer link', layerLinkKey(name, sample), `${repositoryRoot}/_layers/sha256/${hex}/link`],
    ['of a revision', revisionLinkKey(name, sample), `${repositoryRoot}/_manifests/revisions/sha256/${hex}/link`],
    ['of a tag', tagLinkKey(name, tag('v1')), `${repositoryRoot}/_manifests/tags/v1/current/link`],
    [
      'of a digest a tag has had',
      tagIndexLinkKey(name, tag('v1'), sample),
      `${repositoryRoot}/_manifests/tags/v1/index/sha256/${hex}/link`,
    ],
    ['of an upload', uploadKey('an-id', 0), 'mirrorball/uploads/an-id/0'],
    ['of the tags', tagsPrefix(name), `${repositoryRoot}/_manifests/tags/`],
  ])('%s is as Distribution writes it', (_, key, expected) => {
    expect(key).toBe(expected)
  })

  /** Every key, with what it was built from. */
  const builtKeys = fc
    .tuple(repositoryNames, tags, digests, uploadIds, fc.nat())
    .map(([name, tag, digest, id, offset]) => [
      [`blob ${digest}`, blobKey(digest)],
      [`layer ${name} ${digest}`, layerLinkKey(name, digest)],
      [`revision ${name} ${digest}`, revisionLinkKey(name, digest)],
      [`tag ${name} ${tag}`, tagLinkKey(name, tag)],
      [`index ${name} ${tag} ${digest}`, tagIndexLinkKey(name, tag, digest)],
      [`upload ${id} ${offset}`, uploadKey(id, offset)],
    ])

  test('that we build is one that the bucket takes', () => {
    fc.assert(
      fc.property(builtKeys, (built) => {
        for (const [, key = ''] of built) expect(parseKey(key)).toBe(key)
      }),
    )
  })

  test('is another for everything else, whatever the names hold', () => {
    fc.assert(
      fc.property(fc.array(builtKeys, { minLength: 2, maxLength: 8 }), (all) => {
        const byKey = new Map<string, string>()
        for (const [what = '', key = ''] of all.flat()) {
          expect(byKey.get(key) ?? what).toBe(what)
          byKey.set(key, what)
        }
      }),
    )
  })

  test('is taken at the longest name, tag and digest', () => {
    const key = tagIndexLinkKey(repository('a'.repeat(255)), tag('t'.repeat(128)), digest(`sha512:${hex}${hex}`))
    expect(parseKey(key)).toBe(key)
  })
})

describe('a blob key', () => {
  test('parsed is the digest it was built from', () => {
    fc.assert(fc.property(digests, (digest) => parseBlobKey(blobKey(digest)) === digest))
  })

  test.each([
    ['another folder than the hex begins with', `${root}/blobs/sha256/02/${hex}/data`],
    ['an unknown algorithm', `${root}/blobs/md5/01/${hex}/data`],
    ['the wrong length', `${root}/blobs/sha512/01/${hex}/data`],
    ['upper case', `${root}/blobs/sha256/AB/${'AB'.repeat(32)}/data`],
    ['more behind it', `${root}/blobs/sha256/01/${hex}/data/more`],
    ['a newline behind it', `${root}/blobs/sha256/01/${hex}/data\n`],
    ['something before it', `x/${root}/blobs/sha256/01/${hex}/data`],
    ['another last segment', `${root}/blobs/sha256/01/${hex}/link`],
    ['a repository’s link', layerLinkKey(name, sample)],
    ['nothing', ''],
  ])('is none with %s', (_, key) => {
    expect(parseBlobKey(key)).toBeUndefined()
  })
})

describe('a tag folder', () => {
  test('in a listing gives back its tag', () => {
    fc.assert(
      fc.property(repositoryNames, tags, (name, tag) => parseTagFolder(name, `${tagsPrefix(name)}${tag}/`) === tag),
    )
  })

  test.each([
    ['an object', `${tagsPrefix(name)}v1`],
    ['a folder below', `${tagsPrefix(name)}v1/current/`],
    ['the folder itself', tagsPrefix(name)],
    ['what is no tag', `${tagsPrefix(name)}-v1/`],
    ['another repository', `${tagsPrefix(repository('library/other'))}v1/`],
  ])('is not %s', (_, folder) => {
    expect(parseTagFolder(name, folder)).toBeUndefined()
  })
})

describe('a link', () => {
  test('is the digest and nothing else, and read again is that digest', () => {
    fc.assert(
      fc.property(digests, (digest) => {
        expect(Buffer.from(linkContent(digest)).toString()).toBe(digest)
        expect(parseLink(linkContent(digest))).toBe(digest)
      }),
    )
  })

  test('that another tool ended with a newline is read', () => {
    expect(parseLink(Buffer.from(`${sample}\n`))).toBe(sample)
  })

  test.each([
    ['nothing', ''],
    ['a part of a digest', sample.slice(0, -1)],
    ['two digests', `${sample}\n${sample}`],
    ['a name', 'latest'],
    ['NULs, as after a power cut', '\0'.repeat(71)],
  ])('that holds %s is damaged', (_, content) => {
    expect(parseLink(Buffer.from(content))).toBeUndefined()
  })

  test('of bytes that are no text is damaged', () => {
    expect(parseLink(new Uint8Array([0xff, 0xfe, 0x00]))).toBeUndefined()
  })
})

describe('a key that a stranger sends', () => {
  const segments = fc.oneof(
    fc.constantFrom(
      '..',
      '.',
      '',
      '.tmp',
      '%2e%2e',
      '..%2f',
      '~',
      '-rf',
      '_layers',
      'CON',
      '\\',
      '..\\..',
      'a\0b',
      'ａ',
    ),
    fc.string({ maxLength: 6 }),
    fc.string({ unit: charactersOf('aZ0._-/%\\'), maxLength: 8 }),
  )
  const paths = fc.array(segments, { maxLength: 6 }).map((each) => each.join('/'))

  test('never leads out of the folder, nor to names with a dot in front', () => {
    fc.assert(
      fc.property(paths, (path) => {
        const key = parseKey(path)
        if (key === undefined) return
        const folder = resolve('/srv/bucket')
        expect(join(folder, key)).toBe(folder + sep + key.split('/').join(sep))
        expect(key.split('/').some((segment) => segment === '' || segment.startsWith('.'))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['one segment', 'a', true],
    ['1024 characters', 'a'.repeat(1024), true],
    ['1025 characters', 'a'.repeat(1025), false],
    ['nothing', '', false],
    ['a slash in front', '/a', false],
    ['a slash behind', 'a/', false],
    ['an empty segment', 'a//b', false],
    ['`..`', 'a/../b', false],
    ['a dot in front of a segment', 'a/.tmp/b', false],
    ['dots inside a segment', 'a/b..c/d', true],
    ['percent-encoding', 'a%2fb', false],
    ['a newline behind', 'a\n', false],
    ['a backslash', 'a\\b', false],
  ])('with %s: is taken: %3$s', (_, path, taken) => {
    expect(parseKey(path) !== undefined).toBe(taken)
  })

  test.each([
    ['nothing, for everything', '', true],
    ['a folder', 'docker/registry/', true],
    ['a folder without its slash', 'docker/registry', false],
    ['a slash alone', '/', false],
    ['two slashes', 'docker//', false],
    ['`..`', '../', false],
    ['a folder with a dot in front', '.tmp/', false],
  ])('as a prefix is %s: is taken: %3$s', (_, path, taken) => {
    expect(parseKeyPrefix(path) !== undefined).toBe(taken)
  })
})
