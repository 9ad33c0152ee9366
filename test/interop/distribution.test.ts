// CNCF Distribution and Mirrorball over the same folder: each serves in place what the other wrote, and both may write.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { missingClients } from '../support/clients/programs.ts'
import { type Distribution, startDistribution } from '../support/other-registries/distribution.ts'
import { pushImage } from '../support/http-client.ts'
import { asManifest, blobsOf, filesIn, pushContent, questions, type Repository } from '../support/registry-content.ts'
import { type Stack, startStack, temporaryFolder } from '../support/stack.ts'

const missing = missingClients('registry')

describe.skipIf(missing !== undefined)(`CNCF Distribution (${missing ?? 'registry'})`, () => {
  describe('serves a folder that Mirrorball wrote:', () => {
    let distribution: Distribution
    let content: readonly Repository[]
    let written: Readonly<Record<string, string>>
    let folder: string

    beforeAll(async () => {
      const data = await temporaryFolder()
      folder = join(data.path, 'bucket')
      const stack = await startStack('node', data.path)
      content = await pushContent(stack.originUrl)
      await stack.stop()
      written = await filesIn(folder)
      distribution = await startDistribution(folder)
      return async () => {
        await distribution.stop()
        await data.remove()
      }
    })

    test.each(questions)('$what', async ({ ask }) => {
      for (const repository of content) await ask(distribution.url, repository)
    })

    test('the catalog', async () => {
      const response = await fetch(`${distribution.url}/v2/_catalog`)
      expect(await response.json()).toEqual({ repositories: content.map(({ name }) => name) })
    })

    test('and changes nothing in it', async () => {
      expect(await filesIn(folder)).toEqual(written)
    })
  })

  describe.each(['node', 'workerd'] as const)('wrote a folder that Mirrorball serves, its edge on %s:', (runtime) => {
    let stack: Stack
    let content: readonly Repository[]
    let written: Readonly<Record<string, string>>
    let folder: string

    beforeAll(async () => {
      const data = await temporaryFolder()
      folder = join(data.path, 'bucket')
      const distribution = await startDistribution(folder)
      content = await pushContent(distribution.url)
      await distribution.stop()
      written = await filesIn(folder)
      stack = await startStack(runtime, data.path)
      return async () => {
        await stack.stop()
        await data.remove()
      }
    })

    describe.each(['originUrl', 'edgeUrl'] as const)('at %s', (at) => {
      test.each(questions)('$what', async ({ ask }) => {
        for (const repository of content) await ask(stack[at], repository)
      })
    })

    test('and removes or changes nothing of it', async () => {
      expect(await filesIn(folder)).toMatchObject(written)
    })
  })

  test('and Mirrorball write to one folder in turns, and each serves the tag that the other moved', async () => {
    const data = await temporaryFolder()
    const stack = await startStack('workerd', data.path)
    const distribution = await startDistribution(join(data.path, 'bucket'))
    try {
      const name = 'shared/by/both'
      for (const [turn, writer] of [distribution.url, stack.originUrl, distribution.url, stack.edgeUrl].entries()) {
        const image = await pushImage(writer, name, 'latest', `turn ${turn}`)
        for (const reader of [distribution.url, stack.originUrl, stack.edgeUrl]) {
          for (const { ask } of questions)
            await ask(reader, { name, tags: { latest: asManifest(image) }, blobs: blobsOf(image) })
        }
      }
    } finally {
      await distribution.stop()
      await stack.stop()
      await data.remove()
    }
  })
})
