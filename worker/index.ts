// The edge as a Cloudflare Worker.

import { toResponse } from '../shared/http/answer.ts'
import { errorAnswer } from '../shared/http/write-error.ts'
import type { RegistryApp } from '../shared/http/registry-app.ts'
import { composeEdge } from './compose.ts'
import { parseWorkerConfig } from './config.ts'
import { createConsoleLog } from './console-log.ts'

/** One app an environment: an isolate serves many requests, and may be handed another environment. */
const apps = new WeakMap<object, RegistryApp>()

export default {
  async fetch(request, env, context) {
    try {
      let app = apps.get(env)
      if (app === undefined) {
        app = composeEdge(parseWorkerConfig(env))
        apps.set(env, app)
      }
      return await app.fetch(request, env, context)
    } catch (error) {
      // Only a worker that is not configured gets here: the app answers for its own failures.
      createConsoleLog('error').error('the worker cannot serve', {}, error)
      return toResponse(errorAnswer(error, request.method))
    }
  },
} satisfies ExportedHandler<object>
