// The suite of test/e2e/registry.test.ts over a bucket on S3: Miniflare's R2, and the servers that the environment names.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Server, s3Servers, s3Settings } from '../support/bucket/s3-servers.ts'
import { stackFaces } from '../support/faces/faces.ts'
import { pushImage, rootIn } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { startPart, startStack, type Stack } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'
import { contentNamesSuite } from './content-names.suite.ts'
import { contentSuite } from './content.suite.ts'
import { pullSuite } from './pull.suite.ts'
import { pushBlobsSuite } from './push-blobs.suite.ts'
import { pushManifestsSuite } from './push-manifests.suite.ts'
import { refusalsSuite } from './refusals.suite.ts'

describe.each(s3Servers)('on $name,', (kind) => {
  const { missing } = kind

  describe.skipIf(missing !== undefined)(missing ?? 'which is there,', () => {
    describe.each(stackFaces)('%s', (_, runtime, face) => {
      let server: S3Server
      let stack: Stack

      beforeAll(async () => {
        server = await kind.start()
        stack = await startStack(runtime, undefined, s3Settings(server.access))
      }, 60_000)

      afterAll(async () => {
        await stack.stop()
        await server.stop()
      })

      pullSuite(() => face(stack), 'any')
      pushBlobsSuite(() => face(stack))
      pushManifestsSuite(() => face(stack))
      refusalsSuite(() => face(stack))
      contentSuite(() => face(stack))
      contentNamesSuite(() => face(stack))
    })

    describe('the edge', () => {
      let server: S3Server
      let stack: Stack

      beforeAll(async () => {
        server = await kind.start()
        stack = await startStack('node', undefined, s3Settings(server.access))
      }, 60_000)

      afterAll(async () => {
        await stack.stop()
        await server.stop()
      })

      test('sends clients to the server for blobs, by URLs that it takes, and takes no others', async () => {
        const { layer } = await pushImage(stack.originUrl, 'on/s3', 'v1', 'redirected')
        const blob = `${stack.edgeUrl}/v2/on/s3/blobs/${sha256(layer)}`

        const redirect = await fetch(blob, { redirect: 'manual' })

        const location = redirect.headers.get('Location') ?? ''
        expect(redirect.status).toBe(307)
        expect(location.startsWith(s3Settings(server.access)['bucket-s3-url'])).toBe(true)
        expect(await (await fetch(location)).text()).toBe(layer)
        const forged = location.replace(/X-Amz-Signature=.{8}/, 'X-Amz-Signature=00000000')
        expect((await fetch(forged)).status).toBe(403)
      })

      test('has verbs beside it that find the same bucket', async () => {
        const { digest } = await pushImage(stack.originUrl, 'on/s3', 'v2', 'verbs')
        const settings = Object.entries(s3Settings(server.access)).flatMap(([name, value]) => [`--${name}`, value])
        const verb = (...args: readonly string[]) => linesOf(runVerb(stack.dataFolder, ...args, ...settings))
        const file = join(stack.dataFolder, 'image.tar')
        const [cid] = await verb('cid', 'on/s3:v2')
        await verb('export', 'on/s3:v2', file)

        await verb('import', file, 'on/s3-again:v2')

        const again = await fetch(`${stack.edgeUrl}/v2/on/s3-again/manifests/v2`)
        expect([again.headers.get('Docker-Content-Digest'), rootIn(again)]).toEqual([digest, cid])
      })

      test('shows the secret nowhere', () => {
        const printed = `${JSON.stringify(stack.up.log)}${stack.up.text()}`
        expect(printed).not.toContain(server.access.secretAccessKey)
      })
    })
  })
})

describe('what is half configured, or cannot work,', () => {
  const endpoint = 'http://127.0.0.1:9/bucket'

  test('is said at the start, with what is missing', async () => {
    await expect(startPart('origin', { 'bucket-s3-url': endpoint })).rejects.toThrow(
      /bucket\.access_key_id: must be set[\s\S]*bucket\.secret_access_key: must be set/,
    )
  })

  test('is a prefix without a bucket to have it in', async () => {
    await expect(startPart('origin', { 'bucket-prefix': 'team' })).rejects.toThrow(/bucket\.s3_url: must be set/)
  })

  test('is a bucket process beside it', async () => {
    const key = { 'bucket-access-key-id': 'a', 'bucket-secret-access-key': 'a-secret' }
    await expect(startPart('bucket', { 'bucket-s3-url': endpoint, ...key })).rejects.toThrow(/leave this process out/)
  })
})
