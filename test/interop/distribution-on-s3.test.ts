// CNCF Distribution and Mirrorball over the same bucket on S3, under a prefix: each serves in place what the
// other wrote. (test/interop/distribution.test.ts is the same over a folder.)

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { connectS3, type S3Access } from '../../origin/bucket/s3-connection.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import type { Key } from '../../shared/layout/keys.ts'
import { miniflareS3, objectsIn, type S3Server, s3Servers, s3Settings } from '../support/bucket/s3-servers.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { neededFor, startClients } from '../support/clients/image-clients.ts'
import { missingClients } from '../support/clients/programs.ts'
import { makeImage, sha256, type TestImage } from '../support/image.ts'
import { pushImage } from '../support/http-client.ts'
import { type Distribution, startDistribution } from '../support/other-registries/distribution.ts'
import {
  asManifest,
  blobsOf,
  lookAtFilesIn,
  pushContent,
  questions,
  type Repository,
} from '../support/registry-content.ts'
import { type EdgeRuntime, type Stack, startStack, temporaryFolder } from '../support/stack.ts'

const clientNames = ['skopeo', 'crane'] as const
const missing = missingClients('registry', ...neededFor(clientNames))
const runtimes: readonly EdgeRuntime[] = ['node', 'workerd']

/** Its `rootdirectory`. */
const prefix = 'team/registry/'

async function copyFolder(folder: string, access: S3Access): Promise<void> {
  const bucket = createS3Bucket(connectS3({ access, clock: systemClock, timeoutMs: 10_000 }))
  const files = await lookAtFilesIn(folder, (file) => readFile(file))
  for (const [path, bytes] of Object.entries(files)) await bucket.write(path as Key, bytes, unhurried)
}

describe.each(s3Servers)('CNCF Distribution on $name', (kind) => {
  const reason = missing ?? kind.missing
  // Miniflare's R2 has no ListMultipartUploads, without which Distribution pushes nothing: a folder is copied there.
  const takesPushes = kind !== miniflareS3

  describe.skipIf(reason !== undefined)(reason ?? 'and Mirrorball over what it wrote:', () => {
    let server: S3Server
    let data: Awaited<ReturnType<typeof temporaryFolder>>
    let clients: Awaited<ReturnType<typeof startClients<(typeof clientNames)[number]>>>
    let distribution: Distribution
    let content: readonly Repository[]
    let image: TestImage
    let written: Readonly<Record<string, string>>
    const stacks = new Map<EdgeRuntime, Stack>()
    const at = (runtime: EdgeRuntime, face: 'originUrl' | 'edgeUrl') => stacks.get(runtime)?.[face] ?? ''

    beforeAll(async () => {
      server = await kind.start()
      const access = { ...server.access, prefix }
      data = await temporaryFolder()
      clients = await startClients(clientNames)
      const folder = join(data.path, 'folder')
      const writer = await startDistribution(takesPushes ? access : folder)
      content = await pushContent(writer.url)
      // Of more than one part of Distribution's multipart uploads.
      image = await makeImage(join(data.path, 'image'), 'large', [12_000_000, 100])
      await clients.clients.skopeo.push(image, `${referenceAt(writer.url, 'large')}:latest`)
      await writer.stop()
      if (!takesPushes) await copyFolder(folder, access)
      distribution = await startDistribution(access)
      written = await objectsIn(access)
      // Two origins on one bucket, which need the same keys.
      const settings = { ...s3Settings(access), 'origin-key': 'a-secret-of-both-origins-of-this-test' }
      for (const runtime of runtimes) stacks.set(runtime, await startStack(runtime, undefined, settings))
    }, 120_000)

    afterAll(async () => {
      for (const stack of stacks.values()) await stack.stop()
      await distribution.stop()
      await clients.stop()
      await data.remove()
      await server.stop()
    })

    describe.each(runtimes)('with an edge on %s', (runtime) => {
      describe.each(['originUrl', 'edgeUrl'] as const)('at %s', (face) => {
        test.each(questions)('$what', async ({ ask }) => {
          for (const repository of content) await ask(at(runtime, face), repository)
        })

        test.each(clientNames)('to %s', async (client) => {
          const pulled = await clients.clients[client].pull(`${referenceAt(at(runtime, face), 'large')}:latest`)
          expect(pulled.manifestDigest).toBe(image.manifest.digest)
        })
      })

      test('blobs by a redirect into the bucket', async () => {
        const [{ name, blobs } = { name: '', blobs: [] }] = content
        const digest = sha256(blobs[0] ?? '')
        const answer = await fetch(`${at(runtime, 'edgeUrl')}/v2/${name}/blobs/${digest}`, { redirect: 'manual' })
        const place = `${s3Settings(server.access)['bucket-s3-url']}/${prefix}docker/registry/v2/blobs/sha256/`
        expect([answer.status, answer.headers.get('Location')]).toEqual([307, expect.stringContaining(place)])
      })

      test('and what is pushed to each is served by the other, under the tag that it moved', async () => {
        const name = `shared/${runtime}`
        const [origin, edge] = [at(runtime, 'originUrl'), at(runtime, 'edgeUrl')]
        const theirs = takesPushes ? [distribution.url] : []
        for (const [turn, writer] of [...theirs, origin, ...theirs, edge].entries()) {
          const pushed = await pushImage(writer, name, 'latest', `turn ${turn}`)
          for (const reader of [distribution.url, origin, edge]) {
            for (const { ask } of questions)
              await ask(reader, { name, tags: { latest: asManifest(pushed) }, blobs: blobsOf(pushed) })
          }
        }
      })

      test('and what skopeo pushes to the edge is pulled from Distribution', async () => {
        await clients.clients.skopeo.push(image, `${referenceAt(at(runtime, 'edgeUrl'), `pushed/${runtime}`)}:v1`)
        const pulled = await clients.clients.crane.pull(`${referenceAt(distribution.url, `pushed/${runtime}`)}:v1`)
        expect(pulled.manifestDigest).toBe(image.manifest.digest)
      })
    })

    test('and nothing of it is removed or changed, nor written beside the prefix', async () => {
      const now = await objectsIn(server.access)
      expect(now).toMatchObject(written)
      expect(Object.keys(now).filter((key) => !key.startsWith(prefix))).toEqual([])
    })
  })
})
