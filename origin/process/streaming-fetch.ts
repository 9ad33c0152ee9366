// Node's fetch for requests whose body is a stream of any length.

import type { Fetch } from '../../shared/ports/fetch.ts'

/**
 * Node's fetch clones a request, so that it could follow a redirect, and keeps all of its body in memory for that
 * (nodejs/undici issue 4058), except where there is no window and a redirect is an error. So here a redirect of a request
 * with a body is a failure; that of any other is left to `init`.
 */
export const streamingFetch: Fetch = (url, init) =>
  fetch(url, init.body == null ? init : { ...init, redirect: 'error', window: null })
