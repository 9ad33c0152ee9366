import { describe, expect, test } from 'vitest'
import { type Digest, parseDigest } from '../../shared/protocol/digest.ts'
import type { Manifest, Part } from '../../shared/protocol/manifest.ts'
import { walk, walkLimit } from '../../shared/protocol/walk.ts'
import { sha256 } from '../support/image.ts'

const digestOf = (text: string) => parseDigest(sha256(text)) as Digest
const part = (kind: Part['kind'], text: string, hasUrls = false): Part => ({
  kind,
  digest: digestOf(text),
  mediaType: 'application/example',
  sizeBytes: 1,
  hasUrls,
})
const blob = (text: string, hasUrls?: boolean) => part('blob', text, hasUrls)
const manifest = (text: string, hasUrls?: boolean) => part('manifest', text, hasUrls)
/** Manifests by their texts. */
const manifests = (all: Readonly<Record<string, readonly Part[]>>) =>
  new Map<Digest, Manifest>(
    Object.entries(all).map(([text, parts]) => [
      digestOf(text),
      { mediaType: 'x/y', parts, subject: digestOf('the subject'), artifactType: undefined, annotations: undefined },
    ]),
  )
/** What the walk visits: texts, with how they are met. */
const walked = (top: string, all: Readonly<Record<string, readonly Part[]>>) => {
  const texts = new Set([...Object.keys(all), ...Object.values(all).flatMap((parts) => parts.map(textOf))])
  function textOf({ digest }: Part): string {
    return known.get(digest) ?? ''
  }
  const found = walk(digestOf(top), manifests(all))
  return found?.map(({ digest, asManifest, asBlob }) => {
    const text = [...texts, ...known.values()].find((each) => digestOf(each) === digest) ?? digest
    return `${text}${asManifest ? ' manifest' : ''}${asBlob ? ' blob' : ''}`
  })
}
const known = new Map(['a', 'b', 'c', 'd', 'top', 'one', 'two'].map((text) => [digestOf(text), text]))

describe('a walk', () => {
  test('of an image is its manifest, its config, its layers, each once', () => {
    expect(walked('top', { top: [blob('a'), blob('c'), blob('b'), blob('c')] })).toEqual([
      'top manifest',
      'a blob',
      'c blob',
      'b blob',
    ])
  })

  test('of an index goes through each child before the next, and mixes in blobs where they stand', () => {
    expect(
      walked('top', {
        top: [manifest('two'), blob('d'), manifest('one')],
        one: [blob('a'), blob('b')],
        two: [blob('c'), blob('b')],
      }),
    ).toEqual(['top manifest', 'two manifest', 'c blob', 'b blob', 'd blob', 'one manifest', 'a blob'])
  })

  test('takes what is met both ways as a manifest where it is first met', () => {
    expect(
      walked('top', { top: [manifest('one'), manifest('two')], one: [blob('two'), blob('b')], two: [blob('a')] }),
    ).toEqual(['top manifest', 'one manifest', 'two manifest blob', 'a blob', 'b blob'])
  })

  test('leaves out what every descriptor says to be elsewhere, and nothing else', () => {
    expect(walked('top', { top: [blob('a', true), blob('b', true), blob('c'), blob('b')] })).toEqual([
      'top manifest',
      'b blob',
      'c blob',
    ])
    expect(walked('top', { top: [manifest('one', true)] })).toEqual(['top manifest'])
  })

  test('does not exist where a manifest is missing', () => {
    expect(walked('top', { top: [manifest('one')] })).toBeUndefined()
    expect(walked('top', {})).toBeUndefined()
  })

  test.each([
    [walkLimit - 1, walkLimit],
    [walkLimit, undefined],
  ])('of a manifest with %i blobs has %s digests', (count, length) => {
    const parts = Array.from({ length: count }, (_, at) => blob(String(at)))
    expect(walk(digestOf('top'), manifests({ top: parts }))?.length).toBe(length)
  })

  test('ends where manifests list each other', () => {
    expect(walked('one', { one: [manifest('two')], two: [manifest('one')] })).toEqual(['one manifest', 'two manifest'])
  })
})
