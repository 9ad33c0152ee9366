// The requests of the table: every route, method, identity, place and spelling.

import { type Route, routeMethods } from '../../../../shared/http/routes.ts'
import { type Call, rows, type Target } from './routes.ts'
import { type Expected, expected, identities, type Identity, type Place, places } from './policy.ts'
import { spellings } from './spellings.ts'

export interface Probe {
  readonly kind: Route['kind']
  readonly place: Place
  readonly method: string
  readonly identity: Identity
  readonly spelling: string
  readonly expected: Expected
  /** Undefined where the route does not have the method. */
  readonly call: Call | undefined
  /** Whether the route is about a thing there is not. */
  readonly another: boolean
  readonly path: (target: Target) => string
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What is no request of the registry is so for who may nothing and for who may everything. */
const some: readonly Identity[] = ['no token', 'admin']

export function probesOf(targets: Readonly<Record<Place, Target>>): readonly Probe[] {
  const kinds = Object.keys(routeMethods) as Route['kind'][]
  return kinds.flatMap((kind) =>
    places.slice(0, isNamed(kind) ? places.length : 1).flatMap((place) => probesAt(kind, place, targets[place])),
  )
}

/** Whether a route is about a repository. */
export function isNamed(kind: Route['kind']): boolean {
  return !['version', 'catalog', 'token'].includes(kind)
}

function probesAt(kind: Route['kind'], place: Place, target: Target): Probe[] {
  const row = rows[kind]
  const calls = Object.entries<Call>(row.calls)
  const allow = calls.map(([method]) => method).join(', ')
  return row.paths(target).flatMap((path, at) =>
    spellings(path, row).flatMap(({ what, means }) => {
      const probe = {
        kind,
        place,
        spelling: what,
        another: means === 'another',
        path: (of: Target) =>
          spellings(row.paths(of)[at] ?? '', row).find((spelling) => spelling.what === what)?.path ?? '',
      }
      const allowed = calls.flatMap(([method, call]) =>
        (means === 'nothing' ? some : identities).map((identity): Probe => {
          const outcome: Expected =
            means === 'nothing' ? { kind: 'no route' } : expected(identity, call.need, place, target.name)
          return { ...probe, method, call, identity, expected: outcome }
        }),
      )
      if (what !== 'as it is') return allowed
      const others = methods.filter((method) => !Object.hasOwn(row.calls, method))
      return [
        ...allowed,
        ...others.flatMap((method) =>
          some.map((identity): Probe => ({
            ...probe,
            method,
            call: undefined,
            identity,
            expected: { kind: 'no method', allow },
          })),
        ),
      ]
    }),
  )
}
