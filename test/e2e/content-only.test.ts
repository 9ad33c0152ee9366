// `push.names: content-only`: what is pushed is pulled by its CID and its digest, and the pushed name is gone.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import { startClients } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import {
  manifestText,
  ociError,
  ociIndexType,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  type SmallImage,
} from '../support/http-client.ts'
import { makeImage, makeIndex, sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { startPart, startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const hexOf = (digest: string) => digest.slice('sha256:'.length)
// With something private, a bucket's bytes may be served only of what is published.
const options = { 'push-names': 'content-only', 'access-private': 'secret/**' }

let stack: Stack

beforeAll(async () => {
  stack = await startStack('node', undefined, options)
})

afterAll(() => stack.stop())

async function expectContentNamesOnly(base: string, name: string, tag: string, image: SmallImage): Promise<void> {
  const { digest, manifest } = image
  for (const reference of [tag, digest]) {
    const answer = await fetch(`${base}/v2/${name}/manifests/${reference}`)
    expect(await ociError(answer)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
  }
  expect((await fetch(`${base}/v2/${name}/tags/list`)).status).toBe(404)
  const { repositories } = (await (await fetch(`${base}/v2/_catalog`)).json()) as { repositories: readonly string[] }
  expect(repositories).toEqual([])
  const { tags } = (await (await fetch(`${base}/v2/${hexOf(digest)}/tags/list`)).json()) as { tags: readonly string[] }
  const [root = '', ...others] = tags
  expect([root, others]).toEqual([expect.stringMatching(/^bafybei/), ['latest']])
  for (const [held, reference] of [
    [root, 'latest'],
    [root, digest],
    [hexOf(digest), 'latest'],
    [hexOf(digest), root],
  ] as const) {
    const answer = await fetch(`${base}/v2/${held}/manifests/${reference}`)
    expect([answer.status, await answer.text()]).toEqual([200, manifest])
    for (const blob of [image.config, image.layer]) {
      const pulled = await fetch(`${base}/v2/${held}/blobs/${sha256(blob)}`)
      expect([pulled.status, await pulled.text()]).toEqual([200, blob])
    }
  }
}

describe.each(['originUrl', 'edgeUrl'] as const)('with content names only, at %s', (face) => {
  test('a pushed image is pulled by CID and by digest, and not by its name', async () => {
    const image = await pushImage(stack[face], 'team/app', 'v1', `named ${face}`)
    await expectContentNamesOnly(stack.originUrl, 'team/app', 'v1', image)
    await expectContentNamesOnly(stack.edgeUrl, 'team/app', 'v1', image)
  })

  test('the answer to a push says where the image is, and of no tag that was set', async () => {
    const { manifest, digest } = await pushImage(stack[face], 'answered', 'v1', 'answered')
    const answer = await putManifest(stack[face], 'answered', `${digest}?tag=v1`, manifest)
    expect(answer.headers.get('OCI-Tag')).toBeNull()
    expect(answer.headers.get('X-Ipfs-Path')).toMatch(/^\/ipfs\/bafybei/)
    const pulled = await fetch(new URL(answer.headers.get('Location') ?? '', stack[face]))
    expect([pulled.status, await pulled.text()]).toEqual([200, manifest])
  })

  test('an image that would get no content name is refused', async () => {
    const child = { mediaType: ociManifestType, digest: sha256(`nowhere ${face}`), size: 7 }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [child] })
    const refused = await ociError(await putManifest(stack[face], 'sparse', 'v1', index, ociIndexType))
    expect(refused).toMatchObject({
      status: 400,
      code: 'MANIFEST_INVALID',
      detail: expect.stringContaining('push.names'),
    })
    for (const name of ['sparse', hexOf(sha256(index))])
      expect((await fetch(`${stack[face]}/v2/${name}/manifests/${sha256(index)}`)).status).toBe(404)
  })

  test('a subject is not answered for: nothing would list what refers to it', async () => {
    const subject = await pushImage(stack[face], 'referred', 'v1', 'subject')
    const config = '{"of":"a referrer"}'
    await pushBlob(stack[face], 'referred', config)
    const descriptor = { mediaType: ociManifestType, digest: subject.digest, size: subject.manifest.length }
    const manifest = manifestText(config, [], { subject: descriptor })
    const answer = await putManifest(stack[face], 'referred', sha256(manifest), manifest)
    expect([answer.status, answer.headers.get('OCI-Subject')]).toEqual([201, null])
    const keys = Object.keys(await filesIn(join(stack.dataFolder, 'bucket')))
    expect(keys.filter((key) => key.includes('/referrers/'))).toEqual([])
  })
})

test('of the pushed name only the links of its blobs stay, for the next push', async () => {
  const { config, layer, digest } = await pushImage(stack.originUrl, 'leaves/this', 'v1', 'what stays')
  const repositories = 'docker/registry/v2/repositories'
  const keys = Object.keys(await filesIn(join(stack.dataFolder, 'bucket')))
  expect(keys.filter((key) => key.startsWith(`${repositories}/leaves/`)).sort()).toEqual(
    [config, layer].map((blob) => `${repositories}/leaves/this/_layers/sha256/${hexOf(sha256(blob))}/link`).sort(),
  )
  expect(keys.filter((key) => key.startsWith(`${repositories}/${hexOf(digest)}/`))).toEqual([
    `${repositories}/${hexOf(digest)}/_manifests/revisions/sha256/${hexOf(digest)}/link`,
  ])
})

test('content names outlive a restart, and the setting', async () => {
  const data = await temporaryFolder()
  const before = await startStack('node', data.path, options)
  const image = await pushImage(before.originUrl, 'kept', 'v1', 'kept')
  await before.stop()
  const after = await startStack('node', data.path)
  for (const base of [after.originUrl, after.edgeUrl]) await expectContentNamesOnly(base, 'kept', 'v1', image)
  await pushImage(after.originUrl, 'kept', 'v1', 'kept')
  expect((await fetch(`${after.edgeUrl}/v2/kept/manifests/v1`)).status).toBe(200)
  await after.stop()
  await data.remove()
})

test('a content name cannot be pushed to or deleted', async () => {
  const { digest, manifest } = await pushImage(stack.originUrl, 'undeletable', 'v1', 'undeletable')
  const put = await putManifest(stack.originUrl, hexOf(digest), 'latest', manifest)
  const url = `${stack.originUrl}/v2/${hexOf(digest)}/manifests/${digest}`
  for (const answer of [put, await fetch(url, { method: 'DELETE' })])
    expect((await ociError(answer)).code).toBe('DENIED')
  expect((await fetch(url)).status).toBe(200)
})

test('it needs images to be on IPFS, and says so', async () => {
  const data = await temporaryFolder()
  const starting = startPart('origin', { ...options, 'data-dir': data.path, 'ipfs-backend': 'off' })
  await expect(starting).rejects.toThrow(/push\.names/)
  await data.remove()
})

describeWith(['skopeo', 'docker', 'dockerd'], 'with content names only, real clients', () => {
  test('push images and an index, and pull them', async () => {
    const folder = await temporaryFolder()
    const { clients, stop } = await startClients(['skopeo', 'docker'])
    const rootOf = async (digest: string) => {
      const answer = await fetch(`${stack.edgeUrl}/v2/${hexOf(digest)}/manifests/latest`)
      return answer.headers.get('X-Ipfs-Path')?.slice('/ipfs/'.length) ?? ''
    }
    const image = await makeImage(join(folder.path, 'image'), 'content only', [2_000_000, 100])
    await clients.skopeo.push(image, `${referenceAt(stack.originUrl, 'by/skopeo')}:v1`)
    await clients.docker.push(image, `${referenceAt(stack.edgeUrl, 'by/docker')}:v1`)
    const reference = `${referenceAt(stack.edgeUrl, await rootOf(image.manifest.digest))}:latest`
    for (const client of [clients.skopeo, clients.docker])
      expect((await client.pull(reference)).manifestDigest).toBe(image.manifest.digest)
    const index = await makeIndex(join(folder.path, 'index'), 'content only', [1_500_000], ['amd64', 'arm64'])
    await clients.skopeo.pushIndex(index, `${referenceAt(stack.originUrl, 'by/skopeo')}:multi`)
    const multi = `${referenceAt(stack.edgeUrl, await rootOf(index.index.digest))}:latest`
    const pulled = await clients.skopeo.pullIndex(multi, ['amd64', 'arm64'])
    expect(pulled.indexDigest).toBe(index.index.digest)
    await stop()
    await folder.remove()
  })
})
