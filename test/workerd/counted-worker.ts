// The worker as it is deployed, which says with each answer what it cost: calls of R2 and KV, and fetches, with those after
// the answer. A request names the isolate that it goes to; one by a new name has nothing in memory.

import worker from '../../worker/index.ts'
import { counted } from './counted.ts'

interface Bindings {
  readonly BUCKET: R2Bucket
  readonly MANIFESTS: KVNamespace
}

/** Of the one request that goes on: they come one after the other. */
let calls: string[] = []

const isolates = new Map<string, object>()

const plainFetch = globalThis.fetch
globalThis.fetch = (...given: Parameters<typeof fetch>) => {
  calls.push('fetch')
  return plainFetch(...given)
}

/** What is remembered for a minute stays so, however long the counting takes. */
let frozenMs: number | undefined

export default {
  async fetch(request, env) {
    const name = request.headers.get('Counted-Isolate') ?? ''
    const isolate = isolates.get(name) ?? {
      ...env,
      BUCKET: counted(env.BUCKET, (method) => calls.push(`R2 ${method}`)),
      MANIFESTS: counted(env.MANIFESTS, (method) => calls.push(`KV ${method}`)),
    }
    isolates.set(name, isolate)
    calls = []
    const nowMs = (frozenMs ??= Date.now())
    Date.now = () => nowMs
    const later: Promise<unknown>[] = []
    const waitUntil = (work: Promise<unknown>) => void later.push(work)
    const context = { waitUntil, passThroughOnException() {} } as unknown as ExecutionContext
    const response = await worker.fetch(request, isolate, context)
    await Promise.all(later)
    const answer = new Response(response.body, response)
    answer.headers.set('Counted', calls.join(','))
    return answer
  },
} satisfies ExportedHandler<Bindings>
