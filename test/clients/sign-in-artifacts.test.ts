// Charts, signatures and artifacts in repositories that are closed to most: helm, cosign and oras.

import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startOrasArtifacts } from '../support/clients/artifact-clients.ts'
import { type Cosign, startCosign } from '../support/clients/cosign.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { createCredentialFile, type CredentialFile } from '../support/clients/sign-in.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames, slugOf } from '../support/faces/faces.ts'
import { filesIn } from '../support/registry-content.ts'
import { temporaryFolder } from '../support/stack.ts'

const wrongPassword = /unauthorized: incorrect username or password/i
/** Of the answer to a HEAD there is the status alone. */
const unauthorized = /unauthorized: authentication required|status code 401: Unauthorized/i
const denied = /denied: requested access to the resource is denied|status code 403: Forbidden/i
const version = '1.2.3'
const [model, review] = ['application/vnd.example.model', 'application/vnd.example.review'] as const

describeWith(['helm', 'cosign', 'oras'], 'at a registry with users', () => {
  let faces: ClosedFaces
  let folder: string
  /** What is pushed as an artifact. */
  let files: string

  beforeAll(async () => {
    faces = await startClosedFaces()
  })

  afterAll(async () => {
    await faces.stop()
    expect(faces.failures()).toEqual([])
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    files = join(folder, 'files')
    await mkdir(files)
    await writeFile(join(files, 'card.txt'), 'what this is')
    return temporary.remove
  })

  const at = (face: Face, name: string) => referenceAt(faces.url(face), name)
  const artifact = (type: string) => ({ type, folder: files, files: ['card.txt'] })

  describe('helm', () => {
    let credentials: CredentialFile
    let chart: string

    const helm = (...args: readonly string[]) => runClient('helm', args, { HOME: folder, ...credentials.environment })
    const login = (face: Face, user: string, password: string) =>
      helm('registry', 'login', '--plain-http', `--username=${user}`, `--password=${password}`, faces.host(face))
    const push = (face: Face, repository: string) =>
      helm('push', '--plain-http', chart, `oci://${at(face, repository)}`)
    const pull = async (face: Face, repository: string) => {
      const pulled = await mkdtemp(join(folder, 'pulled-'))
      const reference = `oci://${at(face, repository)}/demo`
      await helm('pull', '--plain-http', reference, '--version', version, '--destination', pulled)
      return readFile(join(pulled, `demo-${version}.tgz`))
    }

    beforeAll(async () => {
      credentials = await createCredentialFile(join(folder, 'helm'))
      await helm('create', join(folder, 'demo'))
      await helm('package', join(folder, 'demo'), '--version', version, '--destination', folder)
      chart = join(folder, `demo-${version}.tgz`)
      await login('origin', 'alice', passwords.alice)
      await push('origin', 'open/charts')
      await push('origin', 'team/charts')
    })

    beforeEach(() => credentials.signOut())

    test.each(faceNames)('pulls a public chart from the %s without signing in, and no other', async (face) => {
      expect(await pull(face, 'open/charts')).toEqual(await readFile(chart))
      await expect(pull(face, 'team/charts')).rejects.toThrow(unauthorized)
      await expect(push(face, 'open/charts')).rejects.toThrow(unauthorized)
    })

    test.each(faceNames)('signs in at the %s, pushes and pulls', async (face) => {
      await login(face, 'alice', passwords.alice)
      await push(face, `team/${slugOf(face)}`)
      expect(await pull(face, `team/${slugOf(face)}`)).toEqual(await readFile(chart))
    })

    test.each(faceNames)('is told at the %s what is wrong', async (face) => {
      await expect(login(face, 'alice', passwords.bob)).rejects.toThrow(wrongPassword)
      await login(face, 'bob', passwords.bob)
      await expect(pull(face, 'team/charts')).rejects.toThrow(denied)
      await expect(push(face, 'team/charts')).rejects.toThrow(denied)
      await credentials.useToken(faces.host(face), { kind: 'access', text: 'of.another.registry' })
      await expect(pull(face, 'team/charts')).rejects.toThrow(unauthorized)
    })
  })

  describe('oras', () => {
    let oras: Awaited<ReturnType<typeof startOrasArtifacts>>

    beforeAll(async () => {
      oras = await startOrasArtifacts()
      return oras.stop
    })

    beforeEach(() => oras.signOut())

    test.each(faceNames)('attaches to what is private at the %s, and discovers it', async (face) => {
      const subject = at(face, `team/${slugOf(face)}:latest`)
      await oras.login(faces.host(face), 'alice', passwords.alice)
      await oras.push(artifact(model), subject)

      const attached = await oras.attach(artifact(review), subject)

      expect(await oras.referrers(subject)).toEqual([attached])
      expect(await oras.pull(subject)).toEqual(await filesIn(files))
      await oras.login(faces.host(face), 'bob', passwords.bob)
      await expect(oras.referrers(subject)).rejects.toThrow(denied)
      await expect(oras.attach(artifact(review), subject)).rejects.toThrow(denied)
      await oras.signOut()
      await expect(oras.referrers(subject)).rejects.toThrow(unauthorized)
    })
  })

  describe('cosign', () => {
    let cosign: Cosign
    let oras: Awaited<ReturnType<typeof startOrasArtifacts>>
    const form = 'a bundle among the referrers'

    beforeAll(async () => {
      cosign = await startCosign()
      oras = await startOrasArtifacts()
      await oras.login(faces.host('origin'), 'alice', passwords.alice)
      return async () => {
        await cosign.stop()
        await oras.stop()
      }
    })

    beforeEach(() => cosign.signOut())

    test.each(faceNames)('signs and verifies what is private at the %s, and tells what is wrong', async (face) => {
      const image = `team/signed-at-${slugOf(face)}:latest`
      await oras.push(artifact(model), at('origin', image))
      const signed = at(face, image)
      await cosign.login(faces.host(face), 'alice', passwords.alice)
      await cosign.sign(signed, form)
      await cosign.verify(signed, form)

      await cosign.login(faces.host(face), 'bob', passwords.bob)
      await expect(cosign.sign(signed, form)).rejects.toThrow(denied)
      await expect(cosign.verify(signed, form)).rejects.toThrow(denied)
      await cosign.login(faces.host(face), 'alice', passwords.bob)
      await expect(cosign.verify(signed, form)).rejects.toThrow(wrongPassword)
      await cosign.useToken(faces.host(face), { kind: 'access', text: 'of.another.registry' })
      await expect(cosign.verify(signed, form)).rejects.toThrow(unauthorized)
      await cosign.signOut()
      await expect(cosign.verify(signed, form)).rejects.toThrow(unauthorized)
    })

    test.each(faceNames)('verifies what is public at the %s without signing in', async (face) => {
      const image = `open/signed-at-${slugOf(face)}:latest`
      await oras.push(artifact(model), at('origin', image))
      await cosign.login(faces.host(face), 'alice', passwords.alice)
      await cosign.sign(at(face, image), form)
      await cosign.signOut()

      await cosign.verify(at(face, image), form)

      await expect(cosign.sign(at(face, image), form)).rejects.toThrow(unauthorized)
    })
  })
})
