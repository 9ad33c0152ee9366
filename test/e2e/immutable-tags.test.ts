// `access.immutable_tags`: a tag that stays what it was first pushed as, by every way to set or delete one.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manifestText, ociError, pushImage, putManifest, type SmallImage } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { type Stack, startStack, temporaryFolder } from '../support/stack.ts'
import { runVerb } from '../support/verbs.ts'

const options = { 'access-immutable-tags': 'team/**:v*,team/**:final' }

let stack: Stack
let files: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  ;[stack, files] = [await startStack('workerd', undefined, options), await temporaryFolder()]
})

afterAll(async () => {
  await stack.stop()
  await files.remove()
})

const bucketFiles = () => filesIn(join(stack.dataFolder, 'bucket'))

describe.each(['originUrl', 'edgeUrl'] as const)('an immutable tag, by way of the %s', (face) => {
  const name = `team/${face.toLowerCase()}`
  const at = () => stack[face]
  const manifestUrl = (reference: string, of = name) => `${at()}/v2/${of}/manifests/${reference}`
  let image: SmallImage
  /** Of the same blobs. */
  let other: { readonly manifest: string; readonly digest: string }

  beforeAll(async () => {
    image = await pushImage(at(), name, 'v1', face)
    const manifest = manifestText(image.config, [image.layer], { annotations: { other: face } })
    other = { manifest, digest: sha256(manifest) }
  })

  async function expectRefused(request: () => Promise<Response>): Promise<void> {
    const before = await bucketFiles()
    expect(await ociError(await request())).toEqual({
      status: 403,
      code: 'DENIED',
      detail: expect.stringContaining('the tag is immutable (access.immutable_tags)'),
    })
    expect(await bucketFiles()).toEqual(before)
    const pulled = await fetch(manifestUrl('v1'))
    expect(pulled.headers.get('Docker-Content-Digest')).toBe(image.digest)
  }

  test('takes no push of another manifest, which changes nothing', async () => {
    await expectRefused(() => putManifest(at(), name, 'v1', other.manifest))
  })

  test('takes none as one of several tags beside a digest, and then none of them is set', async () => {
    await expectRefused(() => putManifest(at(), name, `${other.digest}?tag=v2&tag=v1&tag=latest`, other.manifest))
  })

  test('takes the same manifest again, by tag and beside its digest', async () => {
    for (const reference of ['v1', `${image.digest}?tag=v1&tag=latest`])
      expect((await putManifest(at(), name, reference, image.manifest)).status).toBe(201)
  })

  test('is not deleted, nor is its manifest', async () => {
    await expectRefused(() => fetch(manifestUrl('v1'), { method: 'DELETE' }))
    await expectRefused(() => fetch(manifestUrl(image.digest), { method: 'DELETE' }))
  })

  test('is no tag that the patterns do not stand for: it moves and is deleted', async () => {
    expect((await putManifest(at(), name, 'edge', image.manifest)).status).toBe(201)
    expect((await putManifest(at(), name, 'edge', other.manifest)).status).toBe(201)
    expect((await fetch(manifestUrl('edge'), { method: 'DELETE' })).status).toBe(202)
    expect((await fetch(manifestUrl(other.digest), { method: 'DELETE' })).status).toBe(202)
    const free = `free/${face.toLowerCase()}`
    const first = await pushImage(at(), free, 'v1', 'one')
    await pushImage(at(), free, 'v1', 'two')
    expect((await fetch(manifestUrl('v1', free), { method: 'DELETE' })).status).toBe(202)
    expect((await fetch(manifestUrl(first.digest, free), { method: 'DELETE' })).status).toBe(202)
  })

  test('that is not there is as unknown to a delete as any', async () => {
    const answer = await fetch(manifestUrl('v-none'), { method: 'DELETE' })
    expect(await ociError(answer)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
  })

  test('that is pushed first by many at once is what one of them pushed, and the others are refused', async () => {
    const manifests = Array.from({ length: 8 }, (_, n) =>
      manifestText(image.config, [image.layer], { annotations: { n: `${face} ${n}` } }),
    )
    const answers = await Promise.all(manifests.map((manifest) => putManifest(at(), name, 'final', manifest)))
    const taken = manifests.filter((_, n) => answers[n]?.status === 201)
    expect(taken).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(7)
    expect(await (await fetch(manifestUrl('final'))).text()).toBe(taken[0])
    // Of a refused one nothing stays, not even under its digest.
    for (const manifest of manifests)
      expect((await fetch(manifestUrl(sha256(manifest)))).status).toBe(taken[0] === manifest ? 200 : 404)
  })
})

test('an immutable tag is not moved by an import, which writes nothing then; the same image is imported again', async () => {
  const image = await pushImage(stack.originUrl, 'team/imported', 'v1', 'imported')
  await pushImage(stack.originUrl, 'elsewhere', 'v1', 'to be imported')
  const [same, other] = [join(files.path, 'same.tar'), join(files.path, 'other.tar')]
  for (const [from, file] of [
    ['team/imported:v1', same],
    ['elsewhere:v1', other],
  ] as const)
    expect(await runVerb(stack.dataFolder, 'export', from, file)).toMatchObject({ code: 0 })
  const importing = (file: string, target: string) =>
    runVerb(stack.dataFolder, 'import', file, target, '--access-immutable-tags', options['access-immutable-tags'])
  const before = await bucketFiles()
  const refused = await importing(other, 'team/imported:v1')
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining(`team/imported:v1 names ${image.digest} and cannot name`),
  ])
  expect(await bucketFiles()).toEqual(before)
  expect(await importing(same, 'team/imported:v1')).toMatchObject({ code: 0 })
  expect(await importing(other, 'team/imported:v2')).toMatchObject({ code: 0 })
})

test('an immutable tag goes when its manifest is taken down', async () => {
  const { digest } = await pushImage(stack.originUrl, 'team/taken/down', 'v1', 'taken down')
  expect(await runVerb(stack.dataFolder, 'block', digest)).toMatchObject({ code: 0 })
  expect((await fetch(`${stack.originUrl}/v2/team/taken/down/manifests/v1`)).status).not.toBe(200)
  await pushImage(stack.originUrl, 'team/taken/down', 'v1', 'in its place')
})
