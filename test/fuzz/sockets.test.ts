// The same requests over sockets, to the processes as users run them: paths and headers go out as they are, and what leads
// to the bucket is followed.

import * as fc from 'fast-check'
import { Agent, request as httpRequest } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, startStack } from '../support/stack.ts'
import { steps } from './arbitraries.ts'
import { judge, type JudgedAnswer } from './judge.ts'
import { createModel, digestLike, type Model } from './model.ts'
import { firstSeed, mustBeReached, requestsOverSockets } from './scale.ts'
import { type FuzzedRequest, resolveStep, type Step } from './steps.ts'

const agent = new Agent({ keepAlive: true })
const reached = new Set<string>()
let stack: Stack

beforeAll(async () => {
  stack = await startStack('node')
})

afterAll(async () => {
  agent.destroy()
  await stack.stop()
})

/** Undefined where Node's client would not send it. */
async function send(url: string, { method, target, headers, body }: FuzzedRequest): Promise<JudgedAnswer | undefined> {
  const { host, hostname, port } = new URL(url)
  // Node adds none of its own to a list.
  const length = body === undefined ? [] : ['Content-Length', String(body.length)]
  const rawHeaders = ['Host', host, ...length, ...headers.flat()]
  const answer = Promise.withResolvers<JudgedAnswer>()
  let request
  try {
    request = httpRequest({ hostname, port, path: target, method, agent, headers: rawHeaders }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        answer.resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(response.headersDistinct as Record<string, never>),
          body: new Uint8Array(Buffer.concat(chunks)),
        }),
      )
      response.on('error', answer.reject)
    })
  } catch {
    return undefined
  }
  request.on('error', answer.reject)
  request.end(body)
  return answer.promise
}

/** Judges one request by the model. @returns false where it could not be sent */
async function runStep(model: Model, step: Step): Promise<boolean> {
  const fuzzed = resolveStep(step, model)
  const { method, target, headers, body = new Uint8Array() } = fuzzed
  // Elsewhere a deleted blob is remembered for a minute.
  const face = method === 'DELETE' ? 'edge' : fuzzed.face
  const answer = await send(face === 'origin' ? stack.originUrl : stack.edgeUrl, fuzzed)
  if (answer === undefined) return false
  if (/[^\x21-\x7e]/.test(target)) {
    // Node's parser refuses it, whatever it asks for.
    expect(answer.status).toBe(400)
    return true
  }
  const [path = '', ...query] = target.split('?')
  const judged = {
    method: method.toUpperCase(),
    path,
    query: new URLSearchParams(query.join('?')),
    headers: new Headers(headers.map(([name, value]): [string, string] => [name, value])),
    body,
  }
  try {
    reached.add(judge(model, judged, answer))
    if (answer.status === 307) await follow(answer)
  } catch (error) {
    throw new Error(`${method} ${target} was answered ${answer.status}`, { cause: error })
  }
  return true
}

async function follow({ headers }: JudgedAnswer): Promise<void> {
  const digest = headers.get('Docker-Content-Digest') ?? ''
  const blob = await fetch(headers.get('Location') ?? '')
  expect(digestLike(digest, new Uint8Array(await blob.arrayBuffer()))).toBe(digest)
}

test(`${requestsOverSockets} generated requests over sockets find no failure, and every process lives on`, async () => {
  const model = createModel()
  const done = { requests: 0 }
  const runSteps = async (sequence: readonly Step[]) => {
    for (const step of sequence) if (await runStep(model, step)) done.requests += 1
  }
  const sequences = fc.array(steps, { minLength: 100, maxLength: 100 })
  for (let round = 0; done.requests < requestsOverSockets; round++) {
    // What went before belongs to a failure here, so there is nothing to shrink.
    const options = { numRuns: 1, seed: firstSeed + round, endOnFailure: true }
    await fc.assert(fc.asyncProperty(sequences, runSteps), options)
  }
  expect(mustBeReached.filter((kind) => !reached.has(kind))).toEqual([])
  for (const url of [stack.originUrl, stack.edgeUrl]) expect((await fetch(`${url}/v2/`)).status).toBe(200)
  expect(stack.up.log.filter(({ level }) => level === 'error')).toEqual([])
})
