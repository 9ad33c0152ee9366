// Two origins on one bucket, with nothing else in common: users, tokens and keys are in the bucket, sealed.

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashPassword } from '../../origin/accounts/password-hash.ts'
import { miniflareS3, type S3Server, s3Servers, s3Settings } from '../support/bucket/s3-servers.ts'
import { refuses, type S3Proxy, startS3Proxy } from '../support/bucket/s3-proxy.ts'
import { basic, bearer, tokenFrom } from '../support/access/signed-in.ts'
import { pushImage, startUpload, withDigest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { anyPorts, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

const originKey = 'the-key-of-all-origins-of-this-test'
const password = 'sesame-open'
const scopes = ['repository:team/app:pull,push']
const publicUrl = 'http://127.0.0.1:9'
const names = ['one', 'two'] as const

type Name = (typeof names)[number]
type Options = Readonly<Record<string, string>>

const asArgs = (options: Options) => Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])

/** The id of the key that signed a token. */
const keyOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid

/** How a request with a token is answered that needs no bucket. */
async function statusOf(base: string, token: string): Promise<number> {
  const answer = await fetch(`${base}/v2/`, { headers: bearer(token) })
  await answer.body?.cancel()
  return answer.status
}

/** How the token service answers a user. */
async function signInStatus(base: string, user: string, secret: string): Promise<number> {
  const answer = await fetch(`${base}/token?scope=${scopes[0]}`, { headers: basic(user, secret) })
  await answer.body?.cancel()
  return answer.status
}

describe.each(s3Servers)('on $name,', (kind) => {
  const { missing } = kind

  describe.skipIf(missing !== undefined)(missing ?? 'which is there,', () => {
    let server: S3Server
    /** The way of the second origin to the bucket. */
    let proxy: S3Proxy
    let folder: { path: string; remove: () => Promise<void> }
    let options: Options
    let origins: Readonly<Record<Name, Part>>
    const started: Part[] = []
    /** Each has a data folder of its own. */
    const start = async (verb: 'origin' | 'edge', name: string, more: Options) => {
      const part = await startPart(verb, { ...options, 'data-dir': join(folder.path, name), ...more })
      started.push(part)
      return part
    }
    /** As an operator runs them, on a machine of its own. */
    const verb = (...args: readonly string[]) =>
      runVerb(join(folder.path, 'operator'), ...args, ...asArgs(s3Settings(server.access)), '--origin-key', originKey)
    const url = (name: Name) => origins[name].url
    const each = <Result>(ask: (base: string) => Promise<Result>) => Promise.all(names.map((name) => ask(url(name))))
    const makeToken = async () => (await linesOf(verb('token', 'create', '--user', 'ci')))[0] ?? ''
    const signIn = async (name: Name) => (await tokenFrom(url(name), scopes, basic('alice', password))).token

    beforeAll(async () => {
      server = await kind.start()
      proxy = await startS3Proxy(server.access)
      folder = await temporaryFolder()
      const htpasswd = join(folder.path, 'htpasswd')
      await writeFile(htpasswd, `alice:${await hashPassword(password)}\n`)
      options = {
        ...anyPorts,
        ...s3Settings(server.access),
        'access-anonymous': 'pull',
        'access-htpasswd': htpasswd,
        'origin-key': originKey,
        'origin-public-url': publicUrl,
      }
      // At once: they have to agree on every key.
      const [one, two] = await Promise.all([
        start('origin', 'one', {}),
        start('origin', 'two', s3Settings(proxy.access)),
      ])
      origins = { one, two }
    }, 60_000)

    afterAll(async () => {
      for (const part of started.toReversed()) await part.stop()
      await proxy.stop()
      await server.stop()
      await folder.remove()
    })

    test('who signed in at one is known at both, and renews it at both', async () => {
      const more = { offline_token: 'true' }
      for (const name of names) {
        const issued = await tokenFrom(url(name), scopes, basic('alice', password), more)
        expect(await each((base) => statusOf(base, issued.token))).toEqual([200, 200])
        const renew = async (base: string) => {
          const form = { grant_type: 'refresh_token', refresh_token: issued.refresh_token ?? '', service: 'mirrorball' }
          const answer = await fetch(`${base}/token`, { method: 'POST', body: new URLSearchParams(form) })
          await answer.body?.cancel()
          return answer.status
        }
        expect(await each(renew)).toEqual([200, 200])
      }
    })

    test('a personal access token lets its user in at both; revoked, at neither', async () => {
      const [token, other] = [await makeToken(), await makeToken()]
      expect(await each((base) => signInStatus(base, 'ci', token))).toEqual([200, 200])
      expect(await each((base) => signInStatus(base, 'alice', token))).toEqual([401, 401])
      const listed = await linesOf(verb('token', 'list'))
      expect(listed.map((line) => line.split('\t').slice(0, 2))).toContainEqual([token.slice(4, 16), 'ci'])
      expect(await linesOf(verb('token', 'revoke', token))).toEqual([`revoked ${token.slice(4, 16)}`])
      await eventually('the token is refused at both', async () =>
        (await each((base) => signInStatus(base, 'ci', token))).every((status) => status === 401),
      )
      expect(await each((base) => signInStatus(base, 'ci', other))).toEqual([200, 200])
      expect((await verb('token', 'revoke', token)).stderr).toContain('there is no token')
    })

    test('both sign with a new key once it was changed, and what is lost ends at both', async () => {
      const before = await signIn('one')
      const [rotated] = await linesOf(verb('token', 'rotate-key'))
      for (const name of names)
        await eventually(`${name} signs with the new key`, async () => keyOf(await signIn(name)) === rotated)
      expect(await each((base) => statusOf(base, before))).toEqual([200, 200])

      const after = await signIn('two')
      const [last] = await linesOf(verb('token', 'rotate-key', '--lost'))
      await eventually('the lost key is good for nothing', async () =>
        (await each((base) => statusOf(base, after))).every((status) => status === 401),
      )
      for (const name of names) expect(keyOf(await signIn(name))).toBe(last)
    })

    describe.each(['node', 'workerd'])('with an edge on %s', (runtime) => {
      test('each origin knows the edge, whose clients upload at both in turn', async () => {
        const address = '192.0.2.7'
        const headers = bearer(await signIn('one'))
        for (const [at, name] of names.entries()) {
          const repository = `team/app-${runtime}-${name}`
          const edge = await start('edge', `edge-${runtime}-${name}`, {
            edge: runtime,
            'edge-origin-url': url(name),
            'http-trusted-proxies': '127.0.0.1',
          })
          const { token } = await tokenFrom(url(name), [`repository:${repository}:push`], basic('alice', password))
          const upload = await startUpload(edge.url, repository, { ...bearer(token), 'X-Forwarded-For': address })
          const line = () => origins[name].log.find((each) => each['name'] === repository)
          await expect.poll(() => line()?.['client']).toBe(address)

          expect(upload.origin).toBe(publicUrl)
          const content = `begun at ${name} by an edge on ${runtime}`
          const other = names[1 - at] ?? 'one'
          const appended = await fetch(url(other) + upload.pathname + upload.search, { method: 'PATCH', body: content })
          expect(appended.status).toBe(202)
          const closing = withDigest(new URL(upload.pathname + upload.search, url(name)), sha256(content))
          expect((await fetch(closing, { method: 'PUT' })).status).toBe(201)
          const pulled = await fetch(`${url(other)}/v2/${repository}/blobs/${sha256(content)}`, { headers })
          expect(await pulled.text()).toBe(content)
        }
      })
    })

    test('while the bucket is in error keys go on where they are known, and personal access tokens are not decided', async () => {
      const [token, personal] = [await signIn('two'), await makeToken()]
      proxy.fail(/./, refuses(500, 'InternalError'))
      const isAsked = () =>
        proxy.calls.some((call) => call.includes('accounts/token-key.json') && call.endsWith('fault'))
      await eventually('the second origin looks for keys', async () => {
        expect(await statusOf(url('two'), token)).toBe(200)
        return isAsked()
      })
      expect(await statusOf(url('two'), token)).toBe(200)
      expect(await signInStatus(url('two'), 'alice', password)).toBe(200)
      expect(await signInStatus(url('two'), 'ci', personal)).toBe(503)
      proxy.mend()
      expect(await signInStatus(url('two'), 'ci', personal)).toBe(200)
    })

    test('whoever has another origin.key does not start, and changes nothing', async () => {
      const token = await makeToken()
      const other = { 'origin-key': 'another-key-than-that-of-this-test' }
      await expect(start('origin', 'stranger', other)).rejects.toThrow(
        /origin\.key: must be the same at all origins; mirrorball\/accounts\/seal in the bucket cannot be opened/,
      )
      await expect(start('edge', 'strange-edge', { ...other, 'edge-origin-url': url('one') })).rejects.toThrow(
        'mirrorball/accounts/edge-key in the bucket cannot be opened',
      )
      const refused = await runVerb(
        join(folder.path, 'operator'),
        'token',
        'create',
        '--user',
        'ci',
        ...asArgs({ ...s3Settings(server.access), ...other }),
      )
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toContain('origin.key: must be the same at all origins')
      expect(refused.stderr).not.toContain(other['origin-key'])
      expect(await each((base) => signInStatus(base, 'ci', token))).toEqual([200, 200])
    })

    // It looks for half a minute whether they live.
    test.skipIf(kind !== miniflareS3)('whoever keeps accounts in its folder does not start beside them', async () => {
      const { 'origin-key': _, ...alone } = options
      const stranger = startPart('origin', { ...alone, 'data-dir': join(folder.path, 'stranger') })
      await expect(stranger).rejects.toThrow(/they have not the same origin\.key, /)
    })

    test('nothing of accounts is in a data folder, and the key is in nothing that was printed', async () => {
      for (const name of names)
        expect(await readdir(join(folder.path, name), { recursive: true }).catch(() => [])).toEqual([])
      for (const part of started) expect(JSON.stringify(part.log) + part.text()).not.toContain(originKey)
    })
  })
})

describe('a registry whose accounts were in a folder', () => {
  test('takes them into the bucket at the first start with origin.key, and never again', async () => {
    const server = await miniflareS3.start()
    const folder = await temporaryFolder()
    const before: Options = {
      'data-dir': folder.path,
      ...anyPorts,
      ...s3Settings(server.access),
      'access-anonymous': 'pull',
      'access-users': 'push',
    }
    const after = { ...before, 'origin-key': originKey }
    const token = async (options: Options, ...args: readonly string[]) => {
      const { 'data-dir': _, ...more } = options
      return (await linesOf(runVerb(folder.path, 'token', ...args, ...asArgs(more))))[0] ?? ''
    }
    let origin = await startPart('origin', before)
    try {
      const [kept, revoked] = [
        await token(before, 'create', '--user', 'ci'),
        await token(before, 'create', '--user', 'ci'),
      ]
      const signedIn = (await tokenFrom(origin.url, scopes, basic('ci', kept))).token
      await pushImage(origin.url, 'team/app', 'v1', 'moved', bearer(signedIn))
      await origin.stop()

      origin = await startPart('origin', after)
      const moves = () => origin.log.filter(({ msg }) => String(msg).includes('were taken into the bucket'))
      // Two tokens, of which one was used, and the keys of tokens and of edges.
      expect(moves()).toMatchObject([{ taken: 5, folder: join(folder.path, 'accounts') }])
      expect(await statusOf(origin.url, signedIn)).toBe(200)
      for (const each of [kept, revoked]) expect(await signInStatus(origin.url, 'ci', each)).toBe(200)
      await token(after, 'revoke', revoked)
      await origin.stop()

      origin = await startPart('origin', after)
      expect(moves()).toEqual([])
      expect(await signInStatus(origin.url, 'ci', kept)).toBe(200)
      expect(await signInStatus(origin.url, 'ci', revoked)).toBe(401)
    } finally {
      await origin.stop()
      await server.stop()
      await folder.remove()
    }
  }, 60_000)
})
