// A Kubo that is away, hangs, or breaks off, at each call of each operation.

import { describe, expect, test } from 'vitest'
import { createKuboClient } from '../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboSource } from '../../origin/ipfs/kubo/kubo-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { type Fault, startFaultyProxy } from '../support/ipfs/faulty-proxy.ts'
import { eventually } from '../support/stack.ts'
import {
  describeBehindProxy,
  failureOf,
  image,
  large,
  rootsIn,
  small,
  storeAt,
  timeoutMs,
  wait,
} from '../support/ipfs/kubo-faults.ts'

const searchMs = 1000

const sourceAt = (url: string, clock: Clock = systemClock) =>
  createKuboSource({ kubo: createKuboClient({ url, timeoutMs, clock }), searchMs })

/** Everything one can ask of Kubo. */
const operations: Readonly<Record<string, (url: string, clock: Clock, until: Wait) => Promise<unknown>>> = {
  'add of a small file': (url, clock, until) => {
    const added = storeAt(url, clock).add(small, until)
    // It waits for others that may come.
    if ('advance' in clock) (clock as FakeClock).advance(1000)
    return added
  },
  'add of a large file': (url, clock, until) => storeAt(url, clock).add(large, until),
  publish: (url, clock, until) => storeAt(url, clock).publish(image, until),
  unpublish: (url, clock, until) => storeAt(url, clock).unpublish(image.root, until),
  published: (url, clock, until) => rootsIn(storeAt(url, clock), until),
  block: (url, clock, until) => sourceAt(url, clock).open(image.root).block(image.root, until),
}

function operation(name: string) {
  const found = operations[name]
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

describe('nobody is there', () => {
  test.each(Object.keys(operations))('%s', async (name) => {
    const proxy = await startFaultyProxy()
    await proxy.stop()
    const { message } = await failureOf(operation(name)(proxy.url, systemClock, wait))
    expect(message).toContain('ECONNREFUSED')
  })
})

describe('credentials in the URL', () => {
  test('are sent, and are in no message', async () => {
    const proxy = await startFaultyProxy()
    const url = proxy.url.replace('//', '//someone:p%40ss-word@')
    for (const fault of ['refuses', 'answers for a proxy', 'reset at once'] as const) {
      void proxy.failAt('pin/ls', fault)
      const error = await failureOf(rootsIn(storeAt(url)))
      expect(proxy.authorization).toBe(`Basic ${Buffer.from('someone:p@ss-word').toString('base64')}`)
      const all = `${error.stack}${String(error.cause)}${JSON.stringify(error)}`
      for (const secret of ['p%40ss', 'p@ss', proxy.authorization ?? '']) expect(all).not.toContain(secret)
    }
    await proxy.stop()
    expect((await failureOf(rootsIn(storeAt(url)))).stack).not.toContain('p%40ss')
    expect(() => storeAt('http//someone:p%40ss-word@nowhere')).toThrow(/^(?!.*p%40ss).*no HTTP URL/)
  })
})

describeBehindProxy((behind) => {
  /** Which calls of the RPC each operation makes. */
  const callsOf: readonly (readonly [string, string])[] = [
    ['add of a small file', 'dag/import'],
    ['add of a large file', 'add'],
    ['publish', 'pin/ls'],
    ['publish', 'dag/import'],
    ['publish', 'refs'],
    ['publish', 'add'],
    ['publish', 'pin/add'],
    ['unpublish', 'pin/ls'],
    ['unpublish', 'pin/rm'],
    ['published', 'pin/ls'],
    ['block', 'block/get'],
  ]

  const hanging: readonly Fault[] = ['silent', 'half an answer']

  const breaking: readonly Fault[] = ['reset at once', 'reset in the answer', 'refuses', 'answers for a proxy']

  const withEach = (faults: readonly Fault[]) =>
    callsOf.flatMap(([name, path]) => faults.map((fault) => ({ name, path, fault })))

  test.each(withEach(hanging))('$name: $fault to $path ends in time', async ({ name, path, fault }) => {
    if (name === 'unpublish') await storeAt(behind.node.url).publish(image, wait)
    const clock = createFakeClock()
    const reached = behind.proxy.failAt(path, fault)
    const failure = failureOf(operation(name)(behind.proxy.url, clock, wait))
    const { closed } = await reached
    clock.advance(2 * timeoutMs)
    const { message } = await failure
    expect(message).toContain('nothing came from Kubo')
    await closed
    await eventually('no timer is left', () => clock.pending === 0)
  })

  test.each(withEach(breaking))('$name: $fault at $path is an error', async ({ name, path, fault }) => {
    if (name === 'unpublish') await storeAt(behind.node.url).publish(image, wait)
    void behind.proxy.failAt(path, fault)
    const clock = createFakeClock()
    const { message } = await failureOf(operation(name)(behind.proxy.url, clock, wait))
    expect(message).toMatch(new RegExp(`^ipfs: ${path}\\b`))
    if (fault === 'refuses') expect(message).toContain('the disk is full')
    if (fault === 'answers for a proxy') expect(message).toContain('502')
    await eventually('no timer is left', () => clock.pending === 0)
    // What failed is not believed to be there.
    if (name !== 'unpublish') expect(await rootsIn(storeAt(behind.node.url))).toEqual([])
  })

  test.each(callsOf)('%s: one who leaves during %s is heard, there too', async (name, path) => {
    if (name === 'unpublish') await storeAt(behind.node.url).publish(image, wait)
    const reached = behind.proxy.failAt(path, 'silent')
    const leaving = new AbortController()
    const left = expect(operation(name)(behind.proxy.url, systemClock, { signal: leaving.signal })).rejects.toThrow(
      'left',
    )
    const { closed } = await reached
    leaving.abort(new Error('left'))
    await left
    // An import is for several callers, and ends by itself.
    if (path !== 'dag/import') await closed
  })
})
