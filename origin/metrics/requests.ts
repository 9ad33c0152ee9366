// Requests, by route, method, status and tier.

import { tiers } from '../../shared/http/registry-app.ts'
import { routeMethods } from '../../shared/http/routes.ts'
import type { RequestObserver } from '../../shared/ports/request-observer.ts'
import { closedSet, createDurationTable, type DurationTable } from './duration-table.ts'

/** `none`: the path or the method was refused. `object` and `list`: what the bucket process is asked for. */
const routes = closedSet([...Object.keys(routeMethods), 'object', 'list', 'none'])

const methods = closedSet(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Those that we answer with (docs/request-handling.md). An edge hands the origin's on, which may be others. */
const statuses = closedSet([
  200, 201, 202, 204, 206, 304, 307, 400, 401, 403, 404, 405, 408, 413, 414, 416, 429, 499, 500, 503,
])

const tierNames = closedSet(tiers)

export interface CountedRequests extends RequestObserver {
  readonly table: DurationTable
}

export function countRequests(): CountedRequests {
  const table = createDurationTable({ route: routes, method: methods, status: statuses, tier: tierNames })
  return {
    table,
    began: () => performance.now(),
    answered(beganAt, route, method, status, tier) {
      table.add(
        performance.now() - beganAt,
        routes.at(route),
        methods.at(method),
        statuses.at(status),
        tierNames.at(tier),
      )
    },
  }
}
