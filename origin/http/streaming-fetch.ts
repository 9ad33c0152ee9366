// Node's fetch for requests whose body is a stream of any length.

import type { Dispatcher } from 'undici'
import type { Fetch } from '../../shared/ports/fetch.ts'

/**
 * Node's fetch clones a request, so that it could follow a redirect, and keeps all of its body in memory for that
 * (nodejs/undici issue 4058), except where there is no window and a redirect is an error. So here a redirect of a request
 * with a body is a failure; that of any other is left to `init`.
 *
 * @param dispatcher makes the connections; without one, those that Node's fetch has
 */
export function createStreamingFetch(dispatcher?: Dispatcher): Fetch {
  // The library's types and Node's are of two versions of it.
  const own =
    dispatcher === undefined ? {} : { dispatcher: dispatcher as unknown as RequestInit['dispatcher'] & object }
  return (url, init) =>
    fetch(url, { ...init, ...own, ...(init.body == null ? {} : { redirect: 'error', window: null }) })
}

export const streamingFetch = createStreamingFetch()
