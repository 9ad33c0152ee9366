// The whole surface of origin and edge under generated requests, in this process. MIRRORBALL_TEST_FUZZ_REQUESTS says how many,
// MIRRORBALL_TEST_FUZZ_SEED with which seed to begin; a failure prints its own.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { edgeApp, fetchOf, originApp } from '../support/apps.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { steps } from './arbitraries.ts'
import { judge } from './judge.ts'
import { createModel, type Model } from './model.ts'
import { firstSeed, mustBeReached, mustBeReachedByMany, requestsInProcess } from './scale.ts'
import { storedFault } from './stored.ts'
import { type FuzzedRequest, resolveStep, type Step } from './steps.ts'

const reached = new Map<string, number>()
const done = { requests: 0 }

async function runSteps(sequence: readonly Step[]): Promise<void> {
  const objects: Objects = new Map()
  const bucket = createMemoryBucket(objects)
  const origin = originApp({ bucket, uploads: createMemoryUploads(objects) })
  // The edge remembers blobs for a minute, which a delete at the origin does not end: a minute passes after each.
  let minutes = 0
  const clock = { ...systemClock, now: () => systemClock.now() + minutes * 61_000 }
  const links = { link: async (key: string) => `http://127.0.0.1/${key}` }
  const edge = edgeApp({ bucket, fetch: fetchOf(origin), links, clock })
  const model = createModel()
  for (const step of sequence) {
    const fuzzed = resolveStep(step, model)
    const request = requestOf(fuzzed)
    if (request === undefined) continue
    done.requests += 1
    const answer = await (fuzzed.face === 'origin' ? origin : edge).fetch(request)
    const kind = judgeAnswer(model, request, fuzzed, { ...(await wholeOf(answer)) })
    reached.set(kind, (reached.get(kind) ?? 0) + 1)
    if (kind === 'DELETE blob 202') minutes += 1
  }
  expect(storedFault(model, objects)).toBeUndefined()
}

/** Undefined where no client could send it. */
function requestOf({ method, target, headers, body }: FuzzedRequest): Request | undefined {
  try {
    const entries = headers.map(([name, value]): [string, string] => [name, value])
    return new Request(`http://127.0.0.1${target}`, {
      method,
      headers: entries,
      ...(body === undefined ? {} : { body }),
    })
  } catch {
    return undefined
  }
}

async function wholeOf(response: Response) {
  return { status: response.status, headers: response.headers, body: new Uint8Array(await response.arrayBuffer()) }
}

function judgeAnswer(
  model: Model,
  request: Request,
  { body = new Uint8Array() }: FuzzedRequest,
  answer: Awaited<ReturnType<typeof wholeOf>>,
): string {
  const [, path = '', query = ''] = /^http:\/\/127\.0\.0\.1([^?]*)\??(.*)$/s.exec(request.url) ?? []
  const judged = { method: request.method, path, query: new URLSearchParams(query), headers: request.headers, body }
  try {
    return judge(model, judged, answer)
  } catch (error) {
    throw new Error(`${request.method} ${path}?${query} was answered ${answer.status}`, { cause: error })
  }
}

test(`${requestsInProcess} generated requests find no failure and nothing readable that was not pushed`, async () => {
  const sequences = fc.array(steps, { minLength: 1, maxLength: 250, size: 'max' })
  for (let round = 0; done.requests < requestsInProcess; round++) {
    await fc.assert(fc.asyncProperty(sequences, runSteps), { numRuns: 25, seed: firstSeed + round })
  }
  const needed = done.requests < 9000 ? mustBeReached : [...mustBeReached, ...mustBeReachedByMany]
  expect(needed.filter((kind) => !reached.has(kind))).toEqual([])
})
