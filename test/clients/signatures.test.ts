// cosign signs images at the origin and verifies them through every face, wherever it puts the signature.

import { beforeAll, describe, expect, test } from 'vitest'
import { type Cosign, type SignatureForm, signatureForms, startCosign } from '../support/clients/cosign.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { describeWith } from '../support/clients/programs.ts'
import { type Face, faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { pushImage, type SmallImage } from '../support/http-client.ts'

const forms = Object.keys(signatureForms) as readonly SignatureForm[]

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

describeWith(['cosign'], 'signed by cosign', () => {
  let faces: Faces
  let cosign: Cosign

  beforeAll(async () => {
    faces = await startFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    cosign = await startCosign()
    return () => cosign.stop()
  })

  const at = (face: Face, name: string, { digest }: SmallImage) => referenceAt(faces.url(face), `${name}@${digest}`)

  describe.each(forms)('an image with %s', (form) => {
    const name = `signed/${form.replaceAll(' ', '-')}`
    let signed: SmallImage
    let unsigned: SmallImage

    beforeAll(async () => {
      signed = await pushImage(faces.url('origin'), name, 'signed', form)
      unsigned = await pushImage(faces.url('origin'), name, 'unsigned', `not ${form}`)
      await cosign.sign(at('origin', name, signed), form)
    })

    test.each(faceNames)('is verified at the %s', async (face) => {
      const given = faces.watchBlobs(face)

      await cosign.verify(at(face, name, signed), form)

      // What is verified are the bytes of the signature.
      await expect.poll(given, soon).not.toEqual([])
    })

    // Of the form that is read only on request, cosign then says that there is none.
    test.each(faceNames)('is not verified by another key at the %s', async (face) => {
      await expect(cosign.verify(at(face, name, signed), form, 'other')).rejects.toThrow(
        /no (matching )?(signatures|attestations)/,
      )
    })

    test.each(faceNames)('leaves other images of its repository unsigned at the %s', async (face) => {
      await expect(cosign.verify(at(face, name, unsigned), form)).rejects.toThrow(/no signatures found/)
    })

    test.each(faceNames)('shows it in its tree at the %s', async (face) => {
      expect(await cosign.tree(at(face, name, unsigned))).toMatch(/No Supply Chain Security Related Artifacts found/)
      expect(await cosign.tree(at(face, name, signed))).toMatch(/🍒 sha256:/)
    })
  })

  describe('an attestation', () => {
    const name = 'attested'
    const predicate = { reviewed: true, by: 'two people' }
    let image: SmallImage

    beforeAll(async () => {
      image = await pushImage(faces.url('origin'), name, 'latest', name)
      await cosign.attest(at('origin', name, image), predicate)
    })

    test.each(faceNames)('is verified at the %s', async (face) => {
      expect(await cosign.verifyAttestation(at(face, name, image))).toEqual([predicate])
    })
  })
})
