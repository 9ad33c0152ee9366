// Clients that delete: each asks for a token with what it knows of scopes.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { regctlPlainHttp, startCrane } from '../support/clients/layout-clients.ts'
import { type Client, describeWith, runClient } from '../support/clients/programs.ts'
import { createCredentialFile, type CredentialFile } from '../support/clients/sign-in.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames, slugOf } from '../support/faces/faces.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { basic, bearer, tokenFrom } from '../support/access/signed-in.ts'
import { temporaryFolder } from '../support/stack.ts'

/** What removes a manifest, with all its tags. */
const deletes = {
  skopeo: (reference) => ['delete', '--tls-verify=false', `docker://${reference}`],
  crane: (reference) => ['delete', reference, '--insecure'],
  regctl: (reference) => ['manifest', 'rm', '--force-tag-dereference', ...regctlPlainHttp(reference), reference],
  oras: (reference) => ['manifest', 'delete', '--force', '--plain-http', reference],
} as const satisfies Partial<Record<Client, (reference: string) => readonly string[]>>

const names = Object.keys(deletes) as readonly (keyof typeof deletes)[]

describeWith(names, 'at a registry with users', () => {
  let faces: ClosedFaces
  let folder: string
  let credentials: CredentialFile
  let image: TestImage
  let crane: Awaited<ReturnType<typeof startCrane>>

  beforeAll(async () => {
    faces = await startClosedFaces()
  })

  afterAll(async () => {
    await faces.stop()
    expect(faces.failures()).toEqual([])
  })

  beforeAll(async () => {
    crane = await startCrane()
    await crane.login(faces.host('origin'), 'alice', passwords.alice)
    return crane.stop
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    image = await makeImage(join(folder, 'image'), 'to be deleted', [1000])
    credentials = await createCredentialFile(join(folder, 'credentials'))
    return temporary.remove
  })

  beforeEach(() => credentials.signOut())

  const run = (client: Client, ...args: readonly string[]) =>
    runClient(client, args, { HOME: folder, ...credentials.environment })
  const login = (face: Face, user: keyof typeof passwords) =>
    run('crane', 'auth', 'login', faces.host(face), `--username=${user}`, `--password=${passwords[user]}`)

  describe.each(faceNames)('the %s:', (face) => {
    const slug = slugOf(face)

    test.each(names)('%s deletes what its user may', async (client) => {
      const name = `team/${slug}/${client}`
      const reference = faces.at(face, name)
      await crane.push(image, faces.at('origin', name))
      const status = async () => {
        const scopes = [`repository:${name}:pull`]
        const { token } = await tokenFrom(faces.url(face), scopes, basic('alice', passwords.alice))
        return (await fetch(`${faces.url(face)}/v2/${name}/manifests/latest`, { headers: bearer(token) })).status
      }

      await expect(run(client, ...deletes[client](reference))).rejects.toThrow(/unauthorized|401/i)
      await login(face, 'bob')
      await expect(run(client, ...deletes[client](reference))).rejects.toThrow(/denied|403/i)
      expect(await status()).toBe(200)
      await login(face, 'alice')
      await run(client, ...deletes[client](reference))

      expect(await status()).toBe(404)
    })
  })
})
