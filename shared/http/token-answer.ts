// The HTTP face of the token service: `/token`, by GET with Basic, or by a POST of a form.
// Source: CNCF Distribution, "Token Authentication Specification" and "OAuth 2 Token Authentication".

import { anonymousAnswer, type Proof, type TokenAnswer, type TokenService } from '../auth/token-service.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseScopes, scopeLimit, type Scope } from '../protocol/scope.ts'
import type { Answer } from './answer.ts'
import { jsonAnswer } from './json-answer.ts'
import type { LoginLimit } from './request-limit.ts'
import { readBody } from './read-body.ts'

interface TokenRequest {
  readonly proof: Proof
  readonly scopes: readonly Scope[]
  readonly wantsRefresh: boolean
}

interface TokenDeps {
  readonly issuer: TokenService
  readonly clock: Clock
  readonly loginLimit?: LoginLimit | undefined
  /** Longest time in milliseconds for a look at who somebody is. */
  readonly requestTimeoutMs: number
}

/** Bytes of a form: a hundred scopes of the longest names are less. */
const formLimitBytes = 64 * 1024

/** Whether everyone would get the same answer: nobody shows who they are. */
export function asksAnonymously(request: Request): boolean {
  return request.method !== 'POST' && request.headers.get('Authorization') === null
}

/**
 * @throws OciError UNAUTHORIZED where the proof is not good, TOOMANYREQUESTS where too many were not; 400 where it is no such request
 */
export async function tokenAnswer(
  deps: TokenDeps,
  request: Request,
  client: ClientInfo,
  query: URLSearchParams,
  wait: Wait,
): Promise<Answer> {
  const { proof, scopes, wantsRefresh } =
    request.method === 'POST' ? await readForm(request) : readQuery(request, query)
  const excess = proof && deps.loginLimit?.take(client)
  if (excess !== undefined) throw excess
  const issued = await orAborted(wait.signal, issue(deps, client, proof, scopes, wantsRefresh))
  if (issued === undefined) throw badCredentials()
  return write(request.method, issued, deps.clock)
}

/**
 * Goes on when the client has left: what was wrong counts then, too, or one could try without end. What nobody could look
 * at is nobody's fault, and counts no more than what was right.
 */
async function issue(
  { issuer, loginLimit, clock, requestTimeoutMs }: TokenDeps,
  client: ClientInfo,
  proof: Proof,
  scopes: readonly Scope[],
  wantsRefresh: boolean,
): Promise<TokenAnswer | undefined> {
  const slow = () => new UpstreamError('accounts', `no answer within ${requestTimeoutMs} ms`)
  const limit = deadline(clock, requestTimeoutMs, undefined, slow)
  let isWrong = false
  try {
    const issued = await issuer.issue(proof, scopes, wantsRefresh, limit)
    isWrong = issued === undefined
    return issued
  } finally {
    limit.clear()
    if (proof !== undefined && !isWrong) loginLimit?.giveBack(client)
  }
}

/** The answer to every client that shows nothing; the scopes make no difference. */
export function anonymousTokenAnswer(request: Request, query: URLSearchParams, clock: Clock): Answer {
  readScopes(query)
  return write(request.method, anonymousAnswer, clock)
}

function write(method: string, issued: TokenAnswer, clock: Clock): Answer {
  const { token, expiresInSeconds, refreshToken } = issued
  const document = {
    token,
    // OAuth 2 has another name for it; some clients know one of them only.
    access_token: token,
    expires_in: expiresInSeconds,
    issued_at: new Date(clock.now()).toISOString(),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
  }
  return jsonAnswer(method, document, { 'Cache-Control': 'no-store' })
}

function readQuery(request: Request, query: URLSearchParams): TokenRequest {
  const header = request.headers.get('Authorization')
  return {
    proof: header === null ? undefined : readBasic(header),
    scopes: readScopes(query),
    wantsRefresh: query.get('offline_token') === 'true',
  }
}

async function readForm(request: Request): Promise<TokenRequest> {
  const [type = ''] = (request.headers.get('Content-Type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    throw invalid('a POST for a token has a form, application/x-www-form-urlencoded')
  const form = new URLSearchParams(new TextDecoder().decode(await readBody(request, formLimitBytes)))
  return { proof: proofIn(form), scopes: readScopes(form), wantsRefresh: form.get('access_type') === 'offline' }
}

function proofIn(form: URLSearchParams): NonNullable<Proof> {
  const grant = form.get('grant_type')
  if (grant === 'password')
    return { kind: 'password', user: form.get('username') ?? '', secret: form.get('password') ?? '' }
  if (grant === 'refresh_token') return { kind: 'refresh', token: form.get('refresh_token') ?? '' }
  throw invalid('grant_type is password or refresh_token')
}

/** Source: RFC 7617; the text is UTF-8. */
function readBasic(header: string): NonNullable<Proof> {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header) ?? []
  if (encoded === undefined) throw badCredentials()
  let text
  try {
    const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
    text = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (each) => each.charCodeAt(0)))
  } catch {
    throw badCredentials()
  }
  const colon = text.indexOf(':')
  if (colon === -1) throw badCredentials()
  return { kind: 'password', user: text.slice(0, colon), secret: text.slice(colon + 1) }
}

function readScopes(parameters: URLSearchParams): readonly Scope[] {
  const scopes = parseScopes(parameters.getAll('scope'))
  if (scopes === undefined) throw invalid(`a token is for at most ${scopeLimit} scopes`)
  return scopes
}

function badCredentials(): OciError {
  return new OciError('UNAUTHORIZED', 'the password or token is wrong, expired or revoked, or there is no such user', {
    headers: { 'WWW-Authenticate': 'Basic realm="token service", charset="UTF-8"' },
    summary: 'incorrect username or password',
  })
}

/** The registry's codes have none for this endpoint. */
function invalid(detail: string): OciError {
  return new OciError('UNSUPPORTED', detail, { status: 400 })
}
