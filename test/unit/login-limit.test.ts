// Which logins count in the limit of wrong ones.

import { describe, expect, test } from 'vitest'
import type { TokenAnswer } from '../../shared/auth/token-service.ts'
import { createLoginLimit } from '../../shared/http/request-limit.ts'
import { tokenAnswer } from '../../shared/http/token-answer.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { basic } from '../support/access/signed-in.ts'

const good: TokenAnswer = { token: 'good', expiresInSeconds: 300, refreshToken: undefined }
const client = { address: '192.0.2.7', scheme: 'http', host: 'r' } as const

/** A token service where one wrong login a minute is allowed, and its answers are given one by one. */
function tokenService() {
  const clock = createFakeClock()
  const loginLimit = createLoginLimit(1, clock)
  const answers: ((answer: TokenAnswer | undefined | Error) => void)[] = []
  const issuer = {
    issue: (_proof: unknown, _scopes: unknown, _wantsRefresh: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise<TokenAnswer | undefined>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)))
      }),
  }
  return {
    clock,
    answer: (answer: TokenAnswer | undefined | Error) => answers.shift()?.(answer),
    async signIn(signal = new AbortController().signal) {
      const request = new Request('http://r/token', { headers: basic('alice', 'secret') })
      const deps = { issuer, clock, loginLimit, requestTimeoutMs: 1000 }
      try {
        return (await tokenAnswer(deps, request, client, new URLSearchParams(), { signal })).status
      } catch (error) {
        return error instanceof UpstreamError ? 503 : (error as { status?: number }).status
      }
    },
  }
}

/** The status of a login that is given this answer. */
async function outcome(service: ReturnType<typeof tokenService>, given: TokenAnswer | undefined | Error) {
  const signedIn = service.signIn()
  service.answer(given)
  return signedIn
}

describe('in the limit of wrong logins', () => {
  test.each([
    ['a wrong one counts', undefined, 401, 429],
    ['a right one does not', good, 200, 401],
    ['one that nobody could look at does not', new UpstreamError('accounts', 'out of order'), 503, 401],
  ])('%s', async (_, given, status, then) => {
    const service = tokenService()
    expect(await outcome(service, given)).toBe(status)
    expect(await outcome(service, undefined)).toBe(then)
  })

  test('one that takes too long does not count', async () => {
    const service = tokenService()
    const slow = service.signIn()
    service.clock.advance(1000)
    expect(await slow).toBe(503)
    service.answer(undefined)
    expect(await outcome(service, undefined)).toBe(401)
  })

  test.each([
    ['is right does not count', good, 401],
    ['nobody could look at does not count', new UpstreamError('accounts', 'out of order'), 401],
    ['is wrong counts', undefined, 429],
  ])('one whose client has left and that %s', async (_, given, then) => {
    const service = tokenService()
    const leaving = new AbortController()
    const left = service.signIn(leaving.signal)
    leaving.abort(new Error('the client left'))
    await left
    // As long as nobody knows, it might be one.
    expect(await service.signIn()).toBe(429)
    service.answer(given)
    // What follows waits for nothing more.
    await new Promise((done) => setImmediate(done))
    expect(await outcome(service, undefined)).toBe(then)
  })
})
