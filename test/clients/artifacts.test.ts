// Artifacts and referrers: oras and regctl push them to the origin, and each reads through every face what either wrote.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ArtifactClient, startOrasArtifacts, startRegctlArtifacts } from '../support/clients/artifact-clients.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { describeWith } from '../support/clients/programs.ts'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { pushImage, type SmallImage } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { temporaryFolder } from '../support/stack.ts'

const artifactType = 'application/vnd.example.model'
const [bill, review] = ['application/vnd.example.bill', 'application/vnd.example.review'] as const
const clientNames = ['oras', 'regctl'] as const

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

describeWith(clientNames, 'artifacts', () => {
  let faces: Faces
  let clients: Readonly<Record<(typeof clientNames)[number], ArtifactClient>>
  let attachByTag: ArtifactClient['attach']
  let folder: string
  let files: Readonly<Record<string, string>>
  let fileDigests: readonly string[]

  beforeAll(async () => {
    faces = await startFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    const [oras, regctl] = [await startOrasArtifacts(), await startRegctlArtifacts()]
    clients = { oras, regctl }
    attachByTag = oras.attachByTag
    return async () => {
      await oras.stop()
      await regctl.stop()
    }
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    await writeFile(join(folder, 'weights.bin'), randomBytes('weights', 3_000_000))
    await writeFile(join(folder, 'card.txt'), 'what this is')
    files = await filesIn(folder)
    fileDigests = Object.values(files).map((hash) => `sha256:${hash}`)
    return temporary.remove
  })

  const artifact = (type: string, ...files: readonly string[]) => ({ type, folder, files })
  const at = (face: (typeof faceNames)[number], name: string) => referenceAt(faces.url(face), `${name}:latest`)

  describe.each(clientNames)('pushed by %s', (pusher) => {
    const name = `artifacts/by-${pusher}`

    beforeAll(async () => {
      await clients[pusher].push(artifact(artifactType, 'weights.bin', 'card.txt'), at('origin', name))
    })

    test('have the type that they were given', async () => {
      const response = await fetch(`${faces.url('origin')}/v2/${name}/manifests/latest`)
      expect(await response.json()).toMatchObject({ artifactType })
    })

    describe.each(faceNames)('from the %s', (face) => {
      test.each(clientNames)('are pulled whole by %s', async (puller) => {
        const given = faces.watchBlobs(face)

        expect(await clients[puller].pull(at(face, name))).toEqual(files)

        await expect.poll(given, soon).toEqual(expect.arrayContaining([...fileDigests]))
      })
    })
  })

  describe('that refer to an image', () => {
    const name = 'artifacts/referrers'
    let image: SmallImage
    let bills: readonly string[]
    let reviews: readonly string[]

    beforeAll(async () => {
      image = await pushImage(faces.url('origin'), name, 'latest', 'subject')
      const subject = at('origin', name)
      bills = [
        await clients.oras.attach(artifact(bill, 'card.txt'), subject),
        await clients.regctl.attach(artifact(bill, 'weights.bin'), subject),
      ].sort()
      // As clients do where a registry does not know referrers.
      reviews = [await attachByTag(artifact(review, 'card.txt'), subject)]
    })

    describe.each(faceNames)('at the %s', (face) => {
      describe.each(clientNames)('for %s', (reader) => {
        test('are all listed', async () => {
          expect(await clients[reader].referrers(at(face, name))).toEqual([...bills, ...reviews].sort())
        })

        test('are listed by type', async () => {
          expect(await clients[reader].referrers(at(face, name), bill)).toEqual(bills)
          expect(await clients[reader].referrers(at(face, name), review)).toEqual(reviews)
        })

        test('are pulled with the image', async () => {
          const pulled = await clients[reader].pullWithReferrers(at(face, name))

          const own = [image.digest, sha256(image.config), sha256(image.layer)]
          expect(pulled).toEqual(expect.arrayContaining([...own, ...bills, ...reviews, ...fileDigests]))
        })
      })
    })
  })
})
