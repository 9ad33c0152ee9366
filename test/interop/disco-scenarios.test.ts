// The end-to-end scenarios of Forta's Disco (its e2e/e2e_test.go), told of Mirrorball with a real Kubo: what is purged on
// one side comes back from the other.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { blobPathOf, purgeKubo } from '../support/bucket/purge.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { missingClients, runClient } from '../support/clients/programs.ts'
import { ociError } from '../support/http-client.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { filesIn } from '../support/registry-content.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'docker'] as const
const missing = missingClients('ipfs', ...neededFor(names))

describe.skipIf(missing !== undefined)(`the scenarios of Forta's Disco (${missing ?? 'real'})`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
  let clients: ImageClients<(typeof names)[number]>
  let image: TestImage

  beforeAll(async () => {
    folder = await temporaryFolder()
    running = await startClients(names)
    ;({ clients } = running)
    image = await makeImage(folder.path, 'scenario', [3_000_000, 100])
  })

  afterAll(async () => {
    await running.stop()
    await folder.remove()
  })

  const hex = () => image.manifest.digest.slice('sha256:'.length)
  const digests = () => [image.manifest, image.config, ...image.layers].map(({ digest }) => digest)
  const push = ({ originUrl }: Stack) => clients.skopeo.push(image, `${referenceAt(originUrl, 'test')}:latest`)

  async function pulls(base: string, repository: string): Promise<void> {
    for (const client of names) {
      const pulled = await clients[client].pull(`${referenceAt(base, repository)}:latest`)
      expect([client, pulled.manifestDigest]).toEqual([client, image.manifest.digest])
    }
  }

  async function pullsEverywhere({ originUrl, edgeUrl }: Stack, repository: string): Promise<void> {
    for (const base of [originUrl, edgeUrl]) await pulls(base, repository)
  }

  describe('with Kubo:', () => {
    let kubo: Kubo
    let stack: Stack
    let root: string

    beforeEach(async () => {
      kubo = await startKubo()
      stack = await startStack('node', undefined, {
        'ipfs-backend': 'kubo',
        'ipfs-kubo-url': kubo.url,
        'ipfs-fetch-timeout-ms': '6000',
      })
      await push(stack)
      const answer = await fetch(`${stack.originUrl}/v2/test/manifests/latest`)
      root = answer.headers.get('X-Ipfs-Path')?.slice('/ipfs/'.length) ?? ''
    })

    afterEach(async () => {
      await stack.stop()
      await kubo.stop()
    })

    const bucket = () => join(stack.dataFolder, 'bucket')

    /** The image is in the bucket, and in Kubo under a pin. */
    async function verifyBoth(): Promise<void> {
      const files = Object.keys(await filesIn(bucket()))
      for (const digest of digests()) expect(files).toContain(blobPathOf(digest))
      expect(files).toContain(`mirrorball/cids/${root}`)
      await verifyKubo()
    }

    async function verifyKubo(): Promise<void> {
      const pinned = []
      for await (const { cid } of kubo.rpc.pin.ls({ type: 'recursive' })) pinned.push(String(cid))
      expect(pinned).toContain(root)
      // A pin of Kubo's is only as good as what lies under it.
      await kubo.collectGarbage()
      for (const digest of digests()) {
        const file = `/ipfs/${root}/blobs/${digest.replace(':', '/')}`
        const { size } = await kubo.rpc.files.stat(file)
        expect(size).toBe(
          [image.manifest, image.config, ...image.layers].find((each) => each.digest === digest)?.sizeBytes,
        )
      }
    }

    const purgeBucket = async () => {
      for (const name of ['docker', 'mirrorball']) await rm(join(bucket(), name), { recursive: true })
    }

    test('push, and verify', async () => {
      await verifyBoth()
      await pullsEverywhere(stack, root)
      await pullsEverywhere(stack, hex())
    })

    test('purge IPFS, then pull: the bucket has it, and Kubo is left alone', async () => {
      await purgeKubo(kubo)
      await pullsEverywhere(stack, root)
      expect(await kubo.localBlock(root)).toBeUndefined()
    })

    test('purge IPFS, push again, then pull: it is on IPFS again', async () => {
      await purgeKubo(kubo)
      await push(stack)
      await verifyBoth()
      await pullsEverywhere(stack, root)
    })

    test.each(['originUrl', 'edgeUrl'] as const)(
      'purge the bucket, then pull at %s: it comes from Kubo',
      async (face) => {
        await purgeBucket()
        await pulls(stack[face], root)
        await pulls(stack[face], hex())
        const files = Object.keys(await filesIn(bucket()))
        for (const digest of digests()) expect(files).toContain(blobPathOf(digest))
      },
    )

    test('purge the bucket and start anew, then pull: it comes from Kubo', async () => {
      await stack.up.stop()
      await rm(bucket(), { recursive: true })
      const again = await startStack('node', stack.dataFolder, { 'ipfs-kubo-url': kubo.url })
      try {
        await pullsEverywhere(again, root)
        await pullsEverywhere(again, hex())
      } finally {
        await again.stop()
      }
    })

    test('purge the bucket, push again, then pull', async () => {
      await purgeBucket()
      await push(stack)
      await verifyBoth()
      for (const name of [root, hex(), 'test']) await pullsEverywhere(stack, name)
    })

    test('purge what the bucket knows of the CID, then pull: it is found again', async () => {
      for (const name of [`cids/${root}`, `roots/sha256/${hex()}`, `views/sha256/${hex()}`])
        await rm(join(bucket(), 'mirrorball', name), { recursive: true })
      await pullsEverywhere(stack, root)
      await pullsEverywhere(stack, hex())
      await pullsEverywhere(stack, 'test')
      await verifyBoth()
    })

    test.each(['originUrl', 'edgeUrl'] as const)('pull what nobody has at %s: it is not found', async (face) => {
      const unknown = 'bafybeielvnt5apaxbk6chthc4dc3p6vscpx3ai4uvti7gwh253j7facsxu'
      await expect(clients.docker.pull(`${referenceAt(stack[face], unknown)}:latest`)).rejects.toThrow(/not found/)
      const answer = await fetch(`${stack[face]}/v2/${unknown}/manifests/latest`)
      const { status, code, detail } = await ociError(answer)
      expect([status, code, detail]).toEqual([404, 'MANIFEST_UNKNOWN', expect.stringMatching(/no source .* \d+ ms/)])
    })
  })

  describe('without IPFS:', () => {
    test('push, and pull all tags of the digest: the CID is among them', async () => {
      const stack = await startStack('node')
      onTestFinished(() => stack.stop())
      await push(stack)
      const tags = await runClient('skopeo', [
        'list-tags',
        '--tls-verify=false',
        `docker://${referenceAt(stack.edgeUrl, hex())}`,
      ])
      const [root = ''] = (JSON.parse(tags) as { Tags: readonly string[] }).Tags.filter((tag) => tag !== 'latest')
      expect(root).toMatch(/^bafybei/)
      for (const name of [root, hex(), 'test']) await pullsEverywhere(stack, name)
      for (const base of [stack.originUrl, stack.edgeUrl]) {
        const pulled = await clients.docker.pull(referenceAt(base, `${hex()}:${root}`))
        expect(pulled.manifestDigest).toBe(image.manifest.digest)
      }
    })

    test('where it is switched off, an image has its pushed name alone', async () => {
      const stack = await startStack('node', undefined, { 'ipfs-backend': 'off' })
      onTestFinished(() => stack.stop())
      await push(stack)
      await pullsEverywhere(stack, 'test')
      for (const base of [stack.originUrl, stack.edgeUrl])
        expect((await fetch(`${base}/v2/${hex()}/manifests/latest`)).status).toBe(404)
    })
  })
})
