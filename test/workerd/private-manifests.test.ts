// What a user pulled is in the worker's memory and in KV, and is still nobody else's.

import { env } from 'cloudflare:workers'
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import type { TokenAccess } from '../../shared/auth/caller.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import { createTokenSigner, type TokenSigner } from '../../shared/auth/token.ts'
import { blobKey, linkContent, revisionLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import { type Digest, digestOf } from '../../shared/protocol/digest.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import worker from '../../worker/index.ts'
import { publishRules } from './published-rules.ts'

const name = 'team/app' as RepositoryName
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [],
})
const bytes = new Uint8Array(new TextEncoder().encode(manifest))
const service = 'mirrorball'

let digest: Digest
let signer: TokenSigner

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const clock = { now: () => Date.now(), after: () => () => {} }
  signer = createTokenSigner({ current: async () => ({ id: 'own', key: privateKey }), service, clock })
  const key = { ...(await exportJWK(publicKey)), kid: 'own' } as PublicKey
  await publishRules({ anonymous: 'pull', users: 'pull', delete: false, private: ['team/**'] }, { keys: [key] })
  digest = await digestOf(bytes)
  await env.BUCKET.put(blobKey(digest), manifest)
  await env.BUCKET.put(revisionLinkKey(name, digest), linkContent(digest))
  await env.BUCKET.put(tagLinkKey(name, 'v1' as Tag), linkContent(digest))
})

/** An isolate with a memory of its own, as an environment of its own has. Its bucket fails from when it is told to. */
function newIsolate() {
  let isBroken = false
  const fails = () => Promise.reject(new Error('out of order'))
  const BUCKET = new Proxy(env.BUCKET, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return isBroken ? fails : (value.bind(target) as unknown)
    },
  })
  return {
    environment: { ...env, BUCKET },
    breakBucket() {
      isBroken = true
    },
  }
}

interface Asked {
  readonly method?: string
  readonly headers: Record<string, string>
}

const headersOf = async (user: string, access: Omit<TokenAccess, 'name'>) => ({
  Authorization: `Bearer ${await signer.access({ user, access: [{ name, ...access }], catalog: undefined }, user)}`,
})
const ofAlice = () => headersOf('alice', { granted: ['pull'], refused: [] })

async function ask(isolate: ReturnType<typeof newIsolate>, reference: string, init: Asked): Promise<Response> {
  const context = createExecutionContext()
  const url = `http://edge.example/v2/${name}/manifests/${reference}`
  const response = await worker.fetch(new Request(url, init), isolate.environment, context)
  await waitOnExecutionContext(context)
  return response
}

describe.each(['memory', 'kv'])('a private manifest in %s', (tier) => {
  test.each(['a tag', 'a digest'])('is given by %s to its user alone', async (by) => {
    const reference = by === 'a tag' ? 'v1' : digest
    const first = newIsolate()
    expect((await ask(first, reference, { headers: await ofAlice() })).status).toBe(200)
    const isolate = tier === 'memory' ? first : newIsolate()
    const others = [
      ['nobody', {}, 401],
      ['everyone', { Authorization: 'Bearer anonymous' }, 401],
      ['bob', await headersOf('bob', { granted: [], refused: ['pull'] }), 403],
      ['bob, who did not ask', await headersOf('bob', { granted: [], refused: [] }), 401],
    ] as const
    const expectRefusals = async () => {
      for (const [who, headers, status] of others)
        for (const method of ['GET', 'HEAD'])
          for (const more of [{}, { 'If-None-Match': `"${digest}"` }]) {
            const answer = await ask(isolate, reference, { method, headers: { ...headers, ...more } })
            expect([who, method, answer.status, answer.headers.get('Docker-Content-Digest')]).toEqual([
              who,
              method,
              status,
              null,
            ])
            expect(await answer.text()).not.toContain('schemaVersion')
          }
    }

    await expectRefusals()
    const again = await ask(isolate, reference, { headers: await ofAlice() })
    expect([again.headers.get('Server-Timing')?.split(';')[0], await again.text()]).toEqual([tier, manifest])

    // What is kept for when the bucket is in error is no more anybody's.
    isolate.breakBucket()
    await expectRefusals()
    const known = await ask(isolate, reference, { headers: await ofAlice() })
    expect([known.headers.get('Warning')?.slice(0, 3), await known.text()]).toEqual(['110', manifest])
  })
})
