// Pitfalls of lists and of the order of pushes, by their numbers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackFaces } from '../support/faces/faces.ts'
import { manifestText, ociManifestType, pushBlob, pushImage, putManifest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { type Stack, startStack } from '../support/stack.ts'

describe.each(stackFaces)('at %s', (_, runtime, face) => {
  let stack: Stack
  let base: string
  const get = (path: string, init: RequestInit = {}) => fetch(`${base}${path}`, init)
  const tagsOf = async (name: string, query = '') => {
    const response = await get(`/v2/${name}/tags/list${query}`)
    return response.status === 200 ? ((await response.json()) as { tags: string[] }).tags : response.status
  }

  beforeAll(async () => {
    stack = await startStack(runtime)
    base = face(stack)
  })

  afterAll(() => stack.stop())

  test('pitfall 38: names, tags and digests that begin alike are kept apart: every prefix ends with a slash', async () => {
    const image = await pushImage(base, 'list/a', '1', 'prefix')
    const other = await pushImage(base, 'list/ab', '2', 'prefix of another')
    await pushImage(base, 'list/a/b', '3', 'below')
    for (const tag of ['10', '1.0', '1-a']) await putManifest(base, 'list/a', tag, image.manifest)
    expect(await tagsOf('list/a')).toEqual(['1', '1-a', '1.0', '10'])
    expect(await tagsOf('list/ab')).toEqual(['2'])
    expect(await tagsOf('list/a/b')).toEqual(['3'])
    expect(await tagsOf('list')).toBe(404)
    expect((await get(`/v2/list/a/manifests/${other.digest}`)).status).toBe(404)
    await get('/v2/list/a/manifests/1', { method: 'DELETE' })
    expect(await tagsOf('list/a')).toEqual(['1-a', '1.0', '10'])
    await get(`/v2/list/a/manifests/${image.digest}`, { method: 'DELETE' })
    expect([await tagsOf('list/a'), await tagsOf('list/ab'), await tagsOf('list/a/b')]).toEqual([404, ['2'], ['3']])
  })

  test('pitfall 39: Link has its angle brackets, stays on this host, and leads through all pages', async () => {
    const image = await pushImage(base, 'list/pages', 't0', 'pages')
    for (const at of [1, 2, 3, 4]) await putManifest(base, 'list/pages', `t${at}`, image.manifest)
    for (const [start, field] of [
      ['/v2/list/pages/tags/list?n=2', 'tags'],
      ['/v2/_catalog?n=1', 'repositories'],
    ] as const) {
      const seen: string[] = []
      let url: URL | undefined = new URL(start, base)
      while (url !== undefined) {
        const response: Response = await fetch(url, { headers: { 'X-Forwarded-Host': 'evil.example' } })
        seen.push(...(((await response.json()) as Record<string, string[]>)[field] ?? []))
        const link = response.headers.get('Link')
        if (link !== null) expect(link).toMatch(/^<\/v2\/[^<>\s]+>; rel="next"$/)
        url = link === null ? undefined : new URL(/<(.*)>/.exec(link)?.[1] ?? '', url)
        if (url !== undefined) expect(url.origin).toBe(new URL(base).origin)
      }
      expect(seen).toEqual([...new Set(seen)].toSorted())
      if (field === 'tags') expect(seen).toEqual(['t0', 't1', 't2', 't3', 't4'])
    }
  })

  test('pitfall 40: a referrer is taken before its subject, and is listed before and after it comes', async () => {
    const subject = manifestText('{}', [], { annotations: { the: 'subject' } })
    const descriptor = { mediaType: ociManifestType, digest: sha256(subject), size: subject.length }
    const referrer = manifestText('{}', [], { subject: descriptor })
    await pushBlob(base, 'list/early', '{}')
    const listed = async () => {
      const response = await get(`/v2/list/early/referrers/${sha256(subject)}`)
      return ((await response.json()) as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest)
    }
    expect((await putManifest(base, 'list/early', sha256(referrer), referrer)).status).toBe(201)
    expect(await listed()).toEqual([sha256(referrer)])
    expect((await putManifest(base, 'list/early', 'v1', subject)).status).toBe(201)
    expect(await listed()).toEqual([sha256(referrer)])
  })

  test('pitfall 59: tags come sorted bytewise however they were pushed, and n and last do what the spec says', async () => {
    const image = await pushImage(base, 'list/sorted', 'b', 'sorted')
    for (const tag of ['a', '_', 'B', '10', '9', 'a-', 'a.b', 'A'])
      await putManifest(base, 'list/sorted', tag, image.manifest)
    const all = ['10', '9', 'A', 'B', '_', 'a', 'a-', 'a.b', 'b']
    expect(await tagsOf('list/sorted')).toEqual(all)
    expect(await tagsOf('list/sorted', '?n=0')).toEqual([])
    expect(await tagsOf('list/sorted', '?n=3')).toEqual(all.slice(0, 3))
    expect(await tagsOf('list/sorted', '?n=3&last=A')).toEqual(['B', '_', 'a'])
    // It need not be there.
    expect(await tagsOf('list/sorted', '?last=AA')).toEqual(all.slice(3))
    expect(await tagsOf('list/sorted', '?last=b')).toEqual([])
    expect(await tagsOf('list/sorted', '?n=100')).toEqual(all)
  })
})
