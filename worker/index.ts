// The edge as a Cloudflare Worker.

import { toResponse } from '../shared/http/answer.ts'
import { errorAnswer } from '../shared/http/write-error.ts'
import type { RegistryApp } from '../shared/http/registry-app.ts'
import type { IpNetwork } from '../shared/protocol/ip-address.ts'
import { clientOf, trustedProxies } from './client.ts'
import { composeEdge } from './compose.ts'
import { parseWorkerConfig } from './config.ts'
import { createConsoleLog } from './console-log.ts'

/** One app an environment: an isolate serves many requests, and may be handed another environment. */
const apps = new WeakMap<object, { readonly app: RegistryApp; readonly trusted: readonly IpNetwork[] }>()

export default {
  async fetch(request, env, context) {
    try {
      let composed = apps.get(env)
      if (composed === undefined) {
        const config = parseWorkerConfig(env)
        composed = { app: composeEdge(config), trusted: trustedProxies(config) }
        apps.set(env, composed)
      }
      const { app, trusted } = composed
      return await app.fetch(request, { client: clientOf(request, trusted) }, context)
    } catch (error) {
      // Only a worker that is not configured gets here: the app answers for its own failures.
      createConsoleLog('error').error('the worker cannot serve', {}, error)
      return toResponse(errorAnswer(error, request.method))
    }
  },
} satisfies ExportedHandler<object>
