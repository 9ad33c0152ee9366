// Signing in while the accounts cannot be read: a fault of the registry, that no client pays for.

import { mkdir, rename, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociError } from '../support/http-client.ts'
import { basic, makePersonalToken, settingsWithUsers } from '../support/access/signed-in.ts'
import { anyPorts, type Part, startPart, temporaryFolder } from '../support/stack.ts'

describe('while the accounts cannot be read', () => {
  let origin: Part
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let secret: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    const limit = { 'http-login-attempts-per-minute': '1' }
    origin = await startPart('origin', { 'data-dir': folder.path, ...anyPorts, ...settingsWithUsers, ...limit })
    secret = await makePersonalToken(folder.path, 'reader')
  })

  afterAll(async () => {
    await origin.stop()
    await folder.remove()
  })

  const signIn = (given = secret) => fetch(`${origin.url}/token`, { headers: basic('reader', given) })

  test('a login is a 503, however often, and none of the wrong logins that are limited', async () => {
    const file = join(folder.path, 'accounts', 'tokens', `${secret.split('_')[1]}.json`)
    await rename(file, `${file}.away`)
    await mkdir(file)
    for (let times = 0; times < 3; times += 1) {
      const refused = await signIn()
      expect(refused.headers.get('Retry-After')).toBe('5')
      expect(await ociError(refused)).toMatchObject({ status: 503, code: 'UNAVAILABLE' })
    }
    await rmdir(file)
    await rename(`${file}.away`, file)
    expect((await signIn()).status).toBe(200)
    expect((await signIn('wrong')).status).toBe(401)
    expect((await signIn('wrong')).status).toBe(429)
  })
})
