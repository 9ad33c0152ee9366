// Clients that list repositories. Most ask without a token at first, or with one that is for nothing, and so learn by a
// 401 that their user may see more than everyone.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { regctlPlainHttp, startCrane } from '../support/clients/layout-clients.ts'
import { type Client, describeWith, runClient } from '../support/clients/programs.ts'
import { createCredentialFile, type CredentialFile } from '../support/clients/sign-in.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames } from '../support/faces/faces.ts'
import { makeImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

const lists = {
  crane: (host) => ['catalog', host, '--insecure'],
  regctl: (host) => ['repo', 'ls', ...regctlPlainHttp(`${host}/`), host],
  oras: (host) => ['repo', 'ls', '--plain-http', host],
  podman: (host) => ['search', '--tls-verify=false', '--format={{.Name}}', `${host}/`],
} as const satisfies Partial<Record<Client, (host: string) => readonly string[]>>

const names = Object.keys(lists) as readonly (keyof typeof lists)[]

describeWith(names, 'the repositories of a registry with users', () => {
  let faces: ClosedFaces
  let folder: string
  let credentials: CredentialFile
  let limited: string

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
    credentials = await createCredentialFile(join(folder, 'credentials'))
    return temporary.remove
  })

  beforeAll(async () => {
    const crane = await startCrane()
    const image = await makeImage(join(folder, 'image'), 'listed', [1000])
    await crane.login(faces.host('origin'), 'alice', passwords.alice)
    for (const name of ['open/app', 'team/app', 'team/other']) await crane.push(image, faces.at('origin', name))
    const create = runVerb(faces.dataFolder, 'token', 'create', '--user', 'ci', '--limit', 'team/app:pull')
    ;[limited = ''] = await linesOf(create)
    return crane.stop
  })

  beforeEach(() => credentials.signOut())

  const run = (client: Client, args: readonly string[]) =>
    runClient(client, args, { HOME: folder, ...credentials.environment })
  const login = (face: Face, user: string, password: string) =>
    run('crane', ['auth', 'login', faces.host(face), `--username=${user}`, `--password=${password}`])
  const listed = async (client: keyof typeof lists, face: Face) => {
    const lines = (await run(client, lists[client](faces.host(face)))).trim().split('\n')
    return lines.map((line) => line.replace(`${faces.host(face)}/`, '')).sort()
  }

  describe.each(faceNames)('at the %s', (face) => {
    test.each(names)('are to %s those that its user may pull from', async (client) => {
      expect(await listed(client, face)).toEqual(['open/app'])
      await login(face, 'alice', passwords.alice)
      expect(await listed(client, face)).toEqual(['open/app', 'team/app', 'team/other'])
      await login(face, 'bob', passwords.bob)
      expect(await listed(client, face)).toEqual(['open/app'])
    })

    test.each(names)('are to %s with a limited token what that is for, and what is public', async (client) => {
      await login(face, 'ci', limited)
      expect(await listed(client, face)).toEqual(['open/app', 'team/app'])
    })

    test.each(names)('are to %s with a wrong password none, and it says so', async (client) => {
      await login(face, 'alice', passwords.bob)
      await expect(listed(client, face)).rejects.toThrow(/incorrect username or password|unauthorized/i)
    })
  })
})
