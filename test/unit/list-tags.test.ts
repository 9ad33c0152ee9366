// The list of tags and its pages, against a plain sort and slice. A bucket lists `1.0-alpine/` before `1.0/`, as S3 does.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toResponse } from '../../shared/http/answer.ts'
import { anonymousCaller } from '../../shared/auth/caller.ts'
import { listAnswer } from '../../shared/http/list-answers.ts'
import { linkContent, revisionLinkKey, tagIndexLinkKey, tagLinkKey, tagsPrefix } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'
import { listTags } from '../../shared/registry/list-tags.ts'
import { pageLimit } from '../../shared/registry/page.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { repository, sha256, tag, tags } from '../support/arbitraries.ts'

const wait: Wait = { signal: new AbortController().signal }
const name = repository('library/alpine')
const digest = sha256('a manifest')

function bucketWith(names: readonly string[], into: RepositoryName = name, objects: Objects = new Map()) {
  for (const each of names) {
    objects.set(tagLinkKey(into, tag(each)), linkContent(digest))
    objects.set(tagIndexLinkKey(into, tag(each), digest), linkContent(digest))
  }
  return createMemoryBucket(objects)
}

const whole = { limit: undefined, after: undefined }

/** The order the spec wants, made another way: by the bytes. */
const bytewise = (names: readonly string[]) => [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

const access = { anonymous: 'push', delete: true } as const

describe('a list of tags', () => {
  test('has a tag before those that only add to it, although the bucket lists them the other way round', async () => {
    const bucket = bucketWith(['1.0-alpine', '1.0', '1.0.1', '1'])
    const listed: string[] = []
    for await (const { path } of bucket.list(tagsPrefix(name), '', wait)) listed.push(path.split('/').at(-2) ?? '')
    expect(listed).toEqual(['1.0-alpine', '1.0.1', '1.0', '1'])
    expect((await listTags(bucket, name, whole, wait)).entries).toEqual(['1', '1.0', '1.0-alpine', '1.0.1'])
  })

  test('has upper case before lower case, and an underscore between them', async () => {
    const bucket = bucketWith(['a', 'B', '_', '9'])
    expect((await listTags(bucket, name, whole, wait)).entries).toEqual(['9', 'B', '_', 'a'])
  })

  test('leaves out what is no tag, and the tags of other repositories', async () => {
    const objects: Objects = new Map()
    objects.set(`${tagsPrefix(name)}-no-tag/current/link`, linkContent(digest))
    objects.set(`${tagsPrefix(name)}object`, linkContent(digest))
    bucketWith(['below'], repository(`${name}/edge`), objects)
    bucketWith(['beside'], repository(`${name}2`), objects)
    const bucket = bucketWith(['mine'], name, objects)
    expect(await listTags(bucket, name, whole, wait)).toEqual({ entries: ['mine'], more: false })
  })

  test('of a repository with manifests but no tag is empty', async () => {
    const bucket = createMemoryBucket(new Map([[revisionLinkKey(name, digest), linkContent(digest)]]))
    expect(await listTags(bucket, name, whole, wait)).toEqual({ entries: [], more: false })
  })

  test('of a name nothing was pushed to is refused, and so is that of a name that only begins alike', async () => {
    const bucket = bucketWith(['mine'])
    for (const unknown of ['library', 'library/alpin', 'library/alpine/edge', 'library/alpine2']) {
      await expect(listTags(bucket, repository(unknown), whole, wait)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    }
  })

  test('of a known repository is empty behind its last tag', async () => {
    expect(await listTags(bucketWith(['a', 'b']), name, { limit: 5, after: 'b' }, wait)).toEqual({
      entries: [],
      more: false,
    })
  })

  test('asked for no entry has none, and does not speak of more', async () => {
    expect(await listTags(bucketWith(['a']), name, { limit: 0, after: undefined }, wait)).toEqual({
      entries: [],
      more: false,
    })
  })

  test.each([
    ['exactly the limit', pageLimit, pageLimit, false],
    ['one over the limit', pageLimit + 1, pageLimit, true],
  ])('that the client set no page for and that has %s ends at the limit', async (_, count, expected, more) => {
    const bucket = bucketWith(Array.from({ length: count }, (_, at) => `t${at}`))
    for (const limit of [undefined, 999_999_999]) {
      const page = await listTags(bucket, name, { limit, after: undefined }, wait)
      expect([page.entries.length, page.more]).toEqual([expected, more])
    }
  })
})

const tagSets = fc.uniqueArray(tags, { minLength: 1, maxLength: 30 })

describe('for any tags', () => {
  test('the list is all of them in the order of their bytes', async () => {
    await fc.assert(
      fc.asyncProperty(tagSets, async (names) => {
        expect(await listTags(bucketWith(names), name, whole, wait)).toEqual({ entries: bytewise(names), more: false })
      }),
    )
  })

  test('a page is the slice behind `last`, which need not be a tag', async () => {
    const after = fc.oneof(tags, fc.string(), fc.constantFrom('', '1.0/', '1.0-', '/', '~', '\u{1F600}', '..'))
    await fc.assert(
      fc.asyncProperty(tagSets, fc.nat(35), after, async (names, limit, last) => {
        const behind = bytewise(names).filter((each) => Buffer.compare(Buffer.from(each), Buffer.from(last)) > 0)
        expect(await listTags(bucketWith(names), name, { limit, after: last }, wait)).toEqual({
          entries: behind.slice(0, limit),
          more: limit > 0 && behind.length > limit,
        })
      }),
    )
  })

  test('the pages that the Link header leads to are together all of them, each once', async () => {
    await fc.assert(
      fc.asyncProperty(tagSets, fc.integer({ min: 1, max: 31 }), async (names, limit) => {
        const deps = {
          bucket: bucketWith(names),
          access,
          caller: anonymousCaller,
          views: { find: async () => undefined },
        }
        const seen: string[] = []
        let url: URL | undefined = new URL(`http://registry.test/v2/${name}/tags/list?n=${limit}`)
        while (url !== undefined) {
          const answer = toResponse(await listAnswer(deps, 'GET', { kind: 'tags', name }, url.searchParams, wait))
          const page = (await answer.json()) as { name: string; tags: string[] }
          expect(page.name).toBe(name)
          expect(page.tags.length).toBeGreaterThan(0)
          expect(page.tags.length).toBeLessThanOrEqual(limit)
          seen.push(...page.tags)
          expect(seen.length).toBeLessThanOrEqual(names.length)
          const next = /^<([^>]*)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1]
          url = next === undefined ? undefined : new URL(next, url)
        }
        expect(seen).toEqual(bytewise(names))
      }),
    )
  })
})
