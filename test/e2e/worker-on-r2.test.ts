// What is deployed on Cloudflare, on this machine: an origin that pushes to R2 by its S3 API, the built worker with R2 and
// KV bound, and clients that it sends to R2.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blobKey } from '../../shared/layout/keys.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { basic, bearer, makePersonalToken, settingsWithUsers, tokenFrom } from '../support/access/signed-in.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { deliveries, type Delivery, startWorkersOnR2, type WorkersOnR2 } from '../support/faces/workers-on-r2.ts'
import {
  ociIndexType,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  type SmallImage,
} from '../support/http-client.ts'
import { diffIds, makeImage, makeIndex, sha256, type TestImage, type TestIndex } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

/** Of answers with a list. */
interface Listed {
  readonly tags?: readonly string[]
  readonly repositories?: readonly string[]
  readonly manifests?: readonly { readonly digest: string }[]
}

const tierOf = ({ headers }: Response) => headers.get('Server-Timing')?.split(';')[0]
const blobUrl = (base: string, name: string, content: string) => `${base}/v2/${name}/blobs/${sha256(content)}`
const keyOf = (content: string) => blobKey(sha256(content) as Digest)
const locationOf = ({ headers }: Response) => headers.get('Location') ?? ''

const clientNames = ['skopeo', 'crane'] as const
const trials = clientNames.flatMap((client) => deliveries.map((delivery) => [client, delivery] as const))

describe('where everyone may pull everything,', () => {
  let registry: WorkersOnR2
  let image: SmallImage

  beforeAll(async () => {
    registry = await startWorkersOnR2()
    image = await pushImage(registry.originUrl, 'on/r2', 'v1', 'on R2')
  })

  afterAll(() => registry.stop())

  describe.each(deliveries)('a worker whose blobs are %s', (delivery) => {
    const at = (path: string) => `${registry.workers[delivery]}/v2/${path}`

    test('serves what an origin pushed, by tag and by digest, and says where it is on IPFS', async () => {
      for (const reference of ['v1', image.digest]) {
        const answer = await fetch(at(`on/r2/manifests/${reference}`))
        expect([answer.status, await answer.text()]).toEqual([200, image.manifest])
        expect(answer.headers.get('Content-Type')).toBe(ociManifestType)
        expect(answer.headers.get('X-Ipfs-Path')).toMatch(/^\/ipfs\/bafybei/)
      }
    })

    test('serves blobs, whole and in part', async () => {
      const url = blobUrl(registry.workers[delivery], 'on/r2', image.layer)
      const whole = await fetch(url)
      expect([whole.status, await whole.text()]).toEqual([200, image.layer])
      expect(whole.headers.get('Content-Length')).toBe(String(image.layer.length))
      const part = await fetch(url, { headers: { Range: 'bytes=1-3' } })
      expect([part.status, await part.text()]).toEqual([206, image.layer.slice(1, 4)])
      const head = await fetch(url, { method: 'HEAD', redirect: 'manual' })
      expect([head.status, head.headers.get('Content-Length')]).toEqual([200, String(image.layer.length)])
    })

    test('takes pushes, and has an index, its referrers, tags and the catalog at once', async () => {
      const base = registry.workers[delivery]
      const name = `by/${delivery}`
      const pushed = await pushImage(base, name, 'v1', delivery)
      const descriptor = { mediaType: ociManifestType, digest: pushed.digest, size: pushed.manifest.length }
      const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [descriptor] })
      expect((await putManifest(base, name, 'all', index, ociIndexType)).status).toBe(201)
      const signature = pushed.manifest.replace('{', `{"subject":${JSON.stringify(descriptor)},`)
      expect((await putManifest(base, name, 'signature', signature)).status).toBe(201)

      expect(await (await fetch(at(`${name}/manifests/all`))).text()).toBe(index)
      const referrers = (await (await fetch(at(`${name}/referrers/${pushed.digest}`))).json()) as Listed
      expect(referrers.manifests?.map(({ digest }) => digest)).toEqual([sha256(signature)])
      const { tags } = (await (await fetch(at(`${name}/tags/list`))).json()) as Listed
      expect(tags).toEqual(['all', 'signature', 'v1'])
      const { repositories } = (await (await fetch(at('_catalog'))).json()) as Listed
      expect(repositories).toEqual(expect.arrayContaining([name, 'on/r2']))
    })
  })

  test('blobs come from the place that the deployment names', async () => {
    const ask = (delivery: Delivery) =>
      fetch(blobUrl(registry.workers[delivery], 'on/r2', image.layer), { redirect: 'manual' })
    const { bucketUrl, publicUrl } = registry.cloud
    const [signed, open, streamed] = [await ask('signed'), await ask('public'), await ask('streamed')]
    expect([signed.status, open.status, streamed.status]).toEqual([307, 307, 200])
    expect(locationOf(signed).split('X-Amz-Signature=')[0]).toContain(`${bucketUrl}/${keyOf(image.layer)}?`)
    expect(locationOf(open)).toBe(`${publicUrl}/${keyOf(image.layer)}`)
    expect(await streamed.text()).toBe(image.layer)
    for (const { headers } of [signed, open]) expect(headers.get('Cache-Control')).toBe('private, no-store')
  })

  test('a blob that is larger than what is read at once is streamed with its length', async () => {
    const large = 'x'.repeat(300_000)
    await pushBlob(registry.originUrl, 'on/r2', large)
    const url = blobUrl(registry.workers.streamed, 'on/r2', large)
    const whole = await fetch(url)
    expect([whole.headers.get('Content-Length'), whole.headers.get('Transfer-Encoding')]).toEqual(['300000', null])
    expect(await whole.text()).toBe(large)
    const end = await fetch(url, { headers: { Range: 'bytes=-5' } })
    expect([end.status, end.headers.get('Content-Range'), await end.text()]).toEqual([
      206,
      'bytes 299995-299999/300000',
      'xxxxx',
    ])
    expect((await fetch(url, { headers: { Range: 'bytes=300000-' } })).status).toBe(416)
  })

  test('a URL that was changed, or has no signature, is refused', async () => {
    const { layer, config } = image
    const url = locationOf(await fetch(blobUrl(registry.workers.signed, 'on/r2', layer), { redirect: 'manual' }))
    expect((await fetch(url)).status).toBe(200)
    const changed = new URL(url)
    changed.searchParams.set('X-Amz-Expires', '604800')
    for (const refused of [
      url.replace(/X-Amz-Signature=.{8}/, 'X-Amz-Signature=00000000'),
      url.replace(keyOf(layer), keyOf(config)),
      url.replace(keyOf(layer), 'mirrorball/access.json'),
      changed.href,
    ])
      expect([refused, (await fetch(refused)).status]).toEqual([refused, 403])
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
    // R2 calls it malformed.
    expect((await fetch(url.split('?')[0] ?? '')).status).toBe(400)
    expect((await fetch(url)).status).toBe(200)
  })

  test('what one worker had from R2 another has from KV, and then from its memory', async () => {
    const { manifest } = await pushImage(registry.originUrl, 'on/kv', 'v1', 'on KV')
    const tiersAt = async (delivery: Delivery, reference = 'v1') => {
      const answer = await fetch(`${registry.workers[delivery]}/v2/on/kv/manifests/${reference}`)
      expect([answer.status, await answer.text()]).toEqual([200, manifest])
      return tierOf(answer)
    }
    expect(await tiersAt('signed')).toBe('bucket')
    // KV is filled after the answer.
    await expect.poll(() => tiersAt('public', sha256(manifest))).toBe('kv')
    expect(await tiersAt('public')).toBe('memory')
  })

  test('a delete is seen by every worker, though KV still has what was deleted', async () => {
    const { digest } = await pushImage(registry.originUrl, 'on/deleted', 'v1', 'deleted')
    const statuses = (reference: string) =>
      Promise.all(
        deliveries.map(async (delivery) => {
          const { status } = await fetch(`${registry.workers[delivery]}/v2/on/deleted/manifests/${reference}`)
          return status
        }),
      )
    expect(await statuses('v1')).toEqual([200, 200, 200])
    const remove = async (reference: string) => {
      const url = `${registry.workers.signed}/v2/on/deleted/manifests/${reference}`
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(202)
    }
    await remove('v1')
    expect(await statuses('v1')).toEqual([404, 404, 404])
    expect(await statuses(digest)).toEqual([200, 200, 200])
    await remove(digest)
    expect(await statuses(digest)).toEqual([404, 404, 404])
  })
})

describe('where a repository is private, and users sign in,', () => {
  let registry: WorkersOnR2
  let secret: string
  let secrets: SmallImage
  let open: SmallImage

  beforeAll(async () => {
    registry = await startWorkersOnR2(settingsWithUsers)
    const admin = await makePersonalToken(registry.dataFolder, 'admin')
    secret = await makePersonalToken(registry.dataFolder, 'reader')
    const push = async (name: string) => {
      const { token } = await tokenFrom(
        registry.workers.signed,
        [`repository:${name}:pull,push`],
        basic('admin', admin),
      )
      return pushImage(registry.originUrl, name, 'latest', name, bearer(token))
    }
    secrets = await push('private/app')
    open = await push('public/app')
  })

  afterAll(() => registry.stop())

  test.each(deliveries)('a worker whose blobs are %s sends nobody to the public host', async (delivery) => {
    const base = registry.workers[delivery]
    const { token } = await tokenFrom(base, ['repository:private/app:pull'], basic('reader', secret))
    const wanted = delivery === 'streamed' ? '' : `${registry.cloud.bucketUrl}/`
    for (const [name, { layer }, headers] of [
      ['private/app', secrets, bearer(token)],
      ['public/app', open, {}],
    ] as const) {
      const answer = await fetch(blobUrl(base, name, layer), { headers, redirect: 'manual' })
      expect([name, answer.status]).toEqual([name, delivery === 'streamed' ? 200 : 307])
      expect(locationOf(answer).startsWith(wanted)).toBe(true)
      const bytes = delivery === 'streamed' ? answer : await fetch(locationOf(answer))
      expect(await bytes.text()).toBe(layer)
    }
  })

  test.each(deliveries)('a worker whose blobs are %s gives what is private to its users alone', async (delivery) => {
    const base = registry.workers[delivery]
    const stranger = await makePersonalToken(registry.dataFolder, 'stranger')
    const { token } = await tokenFrom(base, ['repository:private/app:pull'], basic('stranger', stranger))
    const paths = ['manifests/latest', `manifests/${secrets.digest}`, `blobs/${sha256(secrets.layer)}`, 'tags/list']
    for (const path of paths)
      for (const method of ['GET', 'HEAD'])
        for (const [headers, status] of [
          [{}, 401],
          [bearer(token), 403],
        ] as const) {
          const answer = await fetch(`${base}/v2/private/app/${path}`, { method, headers, redirect: 'manual' })
          expect([path, method, answer.status, locationOf(answer)]).toEqual([path, method, status, ''])
        }
  })

  describeWith(neededFor(clientNames), 'by real clients', () => {
    let clients: ImageClients<(typeof clientNames)[number]>

    beforeAll(async () => {
      const started = await startClients(clientNames)
      clients = started.clients
      return started.stop
    })

    test.each(trials)('%s signs in at a worker whose blobs are %s, and pulls', async (name, delivery) => {
      const { host } = new URL(registry.workers[delivery])
      await clients[name].login(host, 'reader', secret)
      const pulled = await clients[name].pull(`${host}/private/app:latest`)
      expect(pulled.manifestDigest).toBe(secrets.digest)
      await clients[name].signOut()
    })
  })
})

describeWith(neededFor(clientNames), 'real clients on R2:', () => {
  let registry: WorkersOnR2
  let clients: ImageClients<(typeof clientNames)[number]>
  let image: TestImage
  let index: TestIndex

  beforeAll(async () => {
    const folder = await temporaryFolder()
    image = await makeImage(join(folder.path, 'image'), 'on R2', [5_000_000, 200_000, 1])
    index = await makeIndex(join(folder.path, 'index'), 'on R2', [100_000], ['amd64', 'arm64'])
    registry = await startWorkersOnR2()
    const started = await startClients(clientNames)
    clients = started.clients
    return async () => {
      await started.stop()
      await registry.stop()
      await folder.remove()
    }
  })

  test.each(trials)('%s pushes to the origin, and pulls at a worker whose blobs are %s', async (name, delivery) => {
    const repository = `from-origin/${name}-${delivery}`
    await clients[name].push(image, referenceAt(registry.originUrl, `${repository}:latest`))
    const pulled = await clients[name].pull(referenceAt(registry.workers[delivery], `${repository}:latest`))
    expect(pulled).toMatchObject({ diffIds: diffIds(image) })
  })

  test.each(clientNames)('%s pushes an index through a worker, and pulls it at another', async (name) => {
    const repository = `through-worker/${name}`
    await clients[name].pushIndex(index, referenceAt(registry.workers.signed, `${repository}:latest`))
    const architectures = index.images.map(({ architecture }) => architecture)
    const reference = referenceAt(registry.workers.public, `${repository}:latest`)
    const pulled = await clients[name].pullIndex(reference, architectures)
    const expected = index.images.map((each) => [each.architecture, diffIds(each)])
    expect(pulled.diffIds).toEqual(Object.fromEntries(expected))
  })
})
