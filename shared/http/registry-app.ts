// The frame that origin and edge share: parse the route, hand it on, turn failures into answers, write one log line.

import { Hono } from 'hono'
import type { AccessRules } from '../auth/access.ts'
import { callerOf } from '../auth/authentication.ts'
import { authorize, scopesFor } from '../auth/authorize.ts'
import { anonymousCaller, type Caller } from '../auth/caller.ts'
import { knownEdgeHeader } from '../auth/edge-word.ts'
import type { CurrentPolicy, Policy } from '../auth/policy.ts'
import type { ClientBindings, ClientInfo } from '../ports/client-info.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import type { ReadinessCheck } from '../ports/readiness.ts'
import type { RequestObserver } from '../ports/request-observer.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { type Answer, toResponse, withHeaders } from './answer.ts'
import { clientInfo } from './client-info.ts'
import { createHealth } from './health.ts'
import { capabilityParameter } from './public-uploads.ts'
import { noSuchPath, parseRoute, type Route, type RouteOf, wantedBy } from './routes.ts'
import type { RequestLimit } from './request-limit.ts'
import { errorAnswer } from './write-error.ts'

/** Which part of the system had the answer: for the log and the client's Server-Timing. */
export const tiers = ['memory', 'kv', 'bucket', 'redirect', 'origin', 'ipfs', 'last-known', 'none'] as const

export type Tier = (typeof tiers)[number]

/** A request whose route is known and allowed. */
export interface RegistryRequest {
  readonly request: Request
  readonly method: string
  readonly route: Route
  readonly caller: Caller
  /** By which it was allowed, and is decided to its end. */
  readonly access: AccessRules
  readonly query: URLSearchParams
  /** Of an upload's URL, and good, where that is what admitted the request. */
  readonly capability: string | undefined
  /** Sent by the client if it is one an id can be, else made here; goes into the log and on to the origin. */
  readonly id: string
  readonly client: ClientInfo
  /** Lets work go on after the answer, e.g. the filling of a cache. */
  readonly inBackground: (work: Promise<unknown>) => void
  /** Set by the handler. */
  tier: Tier
}

export interface FrameDeps {
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  /** Asked once a request. */
  readonly policy: CurrentPolicy
  /** What `/readyz` looks at. */
  readonly checks: readonly ReadinessCheck[]
  /** Where somebody counts. */
  readonly observer?: RequestObserver | undefined
  /**
   * Who goes on with an upload by the capability in its URL; rejects with OciError where it is not good. Undefined where
   * no such URLs are given out: they are like any other then.
   */
  readonly uploadCaller?:
    | ((upload: RouteOf<'upload'>, capability: string, client: ClientInfo) => Promise<Caller>)
    | undefined
  /** How many requests a client may make; undefined: any number. */
  readonly requestLimit?: RequestLimit | undefined
}

export type RegistryApp = Hono<{ Bindings: ClientBindings }>

export function createRegistryApp(deps: FrameDeps, handle: (request: RegistryRequest) => Promise<Answer>): RegistryApp {
  const { log, clock, random, observer, requestLimit } = deps
  const health = createHealth(deps)
  const app: RegistryApp = new Hono()

  app.all('*', async (context) => {
    const request = context.req.raw
    const method = request.method
    const { path, search } = splitUrl(request.url)
    const probed = health(method, path)
    if (probed !== undefined) return toResponse(await probed)
    const started = clock.now()
    const beganAt = observer?.began() ?? 0
    const id = requestId(request, random)
    // A caller without a network between us and it, such as a test, passes no bindings.
    const bindings = context.env as ClientBindings | undefined
    const client = bindings?.client ?? clientInfo(request, undefined, [])
    const logged: { route?: Route; tier: Tier } = { tier: 'none' }
    let answer: Answer
    try {
      const excess = requestLimit?.(client)
      if (excess !== undefined) throw excess
      const route = parseRoute(method, path)
      logged.route = route
      const query = new URLSearchParams(search)
      const inBackground = (work: Promise<unknown>) => {
        const safe = work.catch((error: unknown) => log.warn('background work failed', { id }, error))
        waitUntil(context, safe)
      }
      const policy = await deps.policy({ signal: request.signal }, inBackground)
      const { caller, capability } = await admit(deps, policy, request, client, route, query)
      const registryRequest: RegistryRequest = {
        request,
        method,
        route,
        caller,
        access: policy.access,
        query,
        capability,
        id,
        client,
        inBackground,
        tier: 'none',
      }
      answer = await handle(registryRequest)
      logged.tier = registryRequest.tier
    } catch (error) {
      const failure = request.signal.aborted ? clientLeft : error
      if (failure instanceof UpstreamError) log.warn('a dependency failed', { id, source: failure.source }, failure)
      else if (!(failure instanceof OciError)) log.error('a request failed', { id }, failure)
      answer = errorAnswer(failure, method)
    }
    const ms = clock.now() - started
    observer?.answered(beganAt, logged.route?.kind ?? 'none', method, answer.status, logged.tier)
    log.info('request', {
      id,
      client: client.address,
      method,
      route: logged.route?.kind,
      ...describe(logged.route),
      status: answer.status,
      bytes: Number(answer.headers['Content-Length'] ?? 0),
      tier: logged.tier,
      ms,
    })
    return toResponse(
      withHeaders(answer, {
        'Docker-Distribution-Api-Version': 'registry/2.0',
        'X-Request-Id': id,
        'Server-Timing': `${logged.tier};dur=${ms}`,
        ...(bindings?.edge === undefined ? {} : { [knownEdgeHeader]: bindings.edge }),
      }),
    )
  })
  return app
}

/** Who sent a request, where they may do what it wants. */
async function admit(
  { uploadCaller }: FrameDeps,
  { access, auth }: Policy,
  request: Request,
  client: ClientInfo,
  route: Route,
  query: URLSearchParams,
): Promise<{ readonly caller: Caller; readonly capability?: string }> {
  const capability = route.kind === 'upload' ? query.get(capabilityParameter) : null
  // It alone decides: clients send what they have for the host where they began, or nothing.
  if (route.kind === 'upload' && capability !== null && uploadCaller !== undefined)
    return { caller: await uploadCaller(route, capability, client), capability }
  const wanted = wantedBy(request.method, route)
  if (wanted === undefined) {
    if (auth === undefined) throw noSuchPath()
    return { caller: anonymousCaller }
  }
  const caller = auth && (await callerOf(auth, request, client, scopesFor(wanted), { signal: request.signal }))
  return { caller: authorize(access, auth, client, caller, wanted) }
}

/** Nobody reads this answer; its status tells the log that the fault was not ours (499, as nginx writes it). */
const clientLeft = new OciError('BLOB_UPLOAD_INVALID', 'the client left before the request was whole', { status: 499 })

function describe(route: Route | undefined): { name?: string; digest?: string; tag?: string } {
  if (route === undefined || !('name' in route)) return {}
  if (route.kind === 'blob') return { name: route.name, digest: route.digest }
  if (route.kind === 'referrers') return { name: route.name, digest: route.subject }
  if (route.kind !== 'manifest') return { name: route.name }
  const { reference } = route
  return reference.kind === 'tag'
    ? { name: route.name, tag: reference.tag }
    : { name: route.name, digest: reference.digest }
}

function requestId(request: Request, random: Random): string {
  const sent = request.headers.get('X-Request-Id')
  return sent !== null && /^[A-Za-z0-9-]{8,64}$/.test(sent) ? sent : random.uuid()
}

/** Path and query as they were sent: `new URL` would rewrite `..` and percent-encoding before the parser sees them. */
function splitUrl(url: string): { path: string; search: string } {
  const pathStart = url.indexOf('/', url.indexOf('://') + 3)
  const pathAndQuery = pathStart === -1 ? '/' : url.slice(pathStart)
  const mark = pathAndQuery.indexOf('?')
  return mark === -1
    ? { path: pathAndQuery, search: '' }
    : { path: pathAndQuery.slice(0, mark), search: pathAndQuery.slice(mark) }
}

/** On Workers the runtime has to be told of work that outlives the answer; on Node it simply goes on. */
function waitUntil(
  context: { executionCtx: { waitUntil(work: Promise<unknown>): void } },
  work: Promise<unknown>,
): void {
  let execution
  try {
    execution = context.executionCtx
  } catch {
    return // Hono throws where the runtime has no execution context.
  }
  execution.waitUntil(work)
}
