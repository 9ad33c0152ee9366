// A bucket on S3 that the cache of Forta's Disco wrote is served in place, under the prefix that Disco gave it.
// (test/interop/disco-bucket.test.ts is the same over a folder.) By its driver `s3`: its `r2` puts the bucket into the
// host's name, which servers on loopback do not have. Miniflare's R2 has no ListMultipartUploads, which both need.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { minio, objectsIn, type S3Server, s3Settings, versitygw } from '../support/bucket/s3-servers.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { neededFor, startClients } from '../support/clients/image-clients.ts'
import { missingForDisco, startDisco } from '../support/other-registries/disco.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { type EdgeRuntime, type Stack, startStack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'crane'] as const
const missing = missingForDisco(...neededFor(names))
const runtimes: readonly EdgeRuntime[] = ['node', 'workerd']
const prefix = 'disco/cache/'

describe.each([versitygw, minio])("the cache of Forta's Disco on $name", (kind) => {
  const reason = missing ?? kind.missing

  describe.skipIf(reason !== undefined)(reason ?? 'and Mirrorball over it', () => {
    let kubo: Kubo
    let server: S3Server
    let data: Awaited<ReturnType<typeof temporaryFolder>>
    let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
    let image: TestImage
    let root: string
    let written: Readonly<Record<string, string>>
    const stacks = new Map<EdgeRuntime, Stack>()

    beforeAll(async () => {
      ;[kubo, server, running] = await Promise.all([startKubo(), kind.start(), startClients(names)])
      const access = { ...server.access, prefix }
      data = await temporaryFolder()
      image = await makeImage(join(data.path, 'image'), 'cached', [3_000_000, 100])
      const disco = await startDisco({ kubo, cache: access })
      try {
        await running.clients.skopeo.push(image, `${referenceAt(disco.url, 'pushed')}:latest`)
        root = (await disco.rootOf(image.manifest.digest)) ?? ''
        await running.clients.skopeo.pull(`${referenceAt(disco.url, root)}:latest`)
      } finally {
        await disco.stop()
      }
      written = await objectsIn(access)
      // Two origins on one bucket, which need the same keys.
      const settings = { ...s3Settings(access), 'origin-key': 'a-secret-of-both-origins-of-this-test' }
      for (const runtime of runtimes) stacks.set(runtime, await startStack(runtime, undefined, settings))
    }, 120_000)

    afterAll(async () => {
      for (const stack of stacks.values()) await stack.stop()
      await running.stop()
      await server.stop()
      await kubo.stop()
      await data.remove()
    })

    describe.each(runtimes)('with an edge on %s', (runtime) => {
      describe.each(['originUrl', 'edgeUrl'] as const)('at %s', (face) => {
        test.each(names)(
          'to %s, by CID, by digest, and by the tag that leads from one to the other',
          async (client) => {
            const { digest } = image.manifest
            const hex = digest.slice('sha256:'.length)
            for (const reference of [`${root}:latest`, `${root}@${digest}`, `${hex}:latest`, `${hex}:${root}`]) {
              const pulled = await running.clients[client].pull(
                referenceAt(stacks.get(runtime)?.[face] ?? '', reference),
              )
              expect([reference, pulled.manifestDigest]).toEqual([reference, digest])
            }
          },
        )
      })
    })

    test('and nothing of it is removed or changed', async () => {
      expect(await objectsIn(server.access)).toMatchObject(written)
    })
  })
})
