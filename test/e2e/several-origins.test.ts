// Several origins on one S3 bucket: what they do at the same time, and which of them may not be beside each other.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { originsPrefix } from '../../shared/layout/keys.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { oneWriteASecond, type S3Proxy, startS3Proxy, succeeds } from '../support/bucket/s3-proxy.ts'
import { miniflareS3, type S3Server, s3Settings } from '../support/bucket/s3-servers.ts'
import { manifestText, pushImage, putManifest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { type Part, startPart, temporaryFolder } from '../support/stack.ts'

let server: S3Server
let proxy: S3Proxy
let data: Awaited<ReturnType<typeof temporaryFolder>>
let one: Part
let two: Part

/** By way of the proxy, with the keys of the others. */
const startOrigin = (more: Readonly<Record<string, string>> = {}) =>
  startPart('origin', {
    'data-dir': data.path,
    'origin-listen': '127.0.0.1:0',
    'access-immutable-tags': 'fixed/**:v*',
    ...s3Settings(proxy.access),
    ...more,
  })

beforeAll(async () => {
  data = await temporaryFolder()
  server = await miniflareS3.start()
  proxy = await startS3Proxy(server.access)
  ;[one, two] = await Promise.all([startOrigin(), startOrigin()])
})

afterAll(async () => {
  await Promise.all([one.stop(), two.stop()])
  await proxy.stop()
  await server.stop()
  await data.remove()
})

afterEach(() => proxy.mend())

async function marks(): Promise<readonly string[]> {
  const bucket = createS3Bucket(connectS3({ access: server.access, clock: systemClock, timeoutMs: 30_000 }))
  const found = []
  for await (const { path } of bucket.list(originsPrefix, '', unhurried)) found.push(path)
  return found
}

describe('at the same time', () => {
  /** Manifests over the same blobs, and the origin that each is pushed to: in turns. */
  async function manifestsIn(name: string, count: number) {
    const { config, layer } = await pushImage(one.url, name, 'base', name)
    return Array.from({ length: count }, (_, at) => ({
      at: at % 2 === 0 ? one.url : two.url,
      text: manifestText(config, [layer], { annotations: { at: String(at) } }),
    }))
  }

  /** What a tag names, at each origin. */
  const named = (name: string, tag: string) =>
    Promise.all([one, two].map(async ({ url }) => (await fetch(`${url}/v2/${name}/manifests/${tag}`)).text()))

  test('pitfall 9: all set a tag, where the bucket takes one write a second of it, and one of theirs stays', async () => {
    const manifests = await manifestsIn('moving/app', 6)
    const before = proxy.calls.length
    proxy.fail(/^PUT .*\/tags\/latest\/current\/link/, oneWriteASecond())
    const answers = await Promise.all(manifests.map(({ at, text }) => putManifest(at, 'moving/app', 'latest', text)))
    expect(answers.map(({ status }) => status)).toEqual(manifests.map(() => 201))
    const writes = proxy.calls.slice(before).filter((call) => /\/tags\/latest\/current\/link/.test(call))
    const tried = writes.filter((call) => call.endsWith(' fault')).length
    expect([writes.length - tried, tried > manifests.length]).toEqual([manifests.length, true])
    const [here, there] = await named('moving/app', 'latest')
    expect(manifests.map(({ text }) => text)).toContain(here)
    expect(there).toBe(here)
  })

  test('one alone sets a tag that is immutable, and the others are refused', async () => {
    const manifests = await manifestsIn('fixed/app', 8)
    const answers = await Promise.all(manifests.map(({ at, text }) => putManifest(at, 'fixed/app', 'v1', text)))
    const taken = manifests.filter((_, at) => answers[at]?.status === 201).map(({ text }) => text)
    expect([taken.length, answers.filter(({ status }) => status === 403).length]).toEqual([1, 7])
    expect(await named('fixed/app', 'v1')).toEqual([taken[0], taken[0]])
  })

  test('the same image is pushed to all under a tag that is immutable', async () => {
    const [{ text } = { text: '' }] = await manifestsIn('fixed/same', 1)
    const answers = await Promise.all([one, two, one, two].map(({ url }) => putManifest(url, 'fixed/same', 'v1', text)))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect((await named('fixed/same', 'v1')).map(sha256)).toEqual([sha256(text), sha256(text)])
  })
})

describe('an origin beside others', () => {
  test('does not start with keys of its own, nor where the bucket’s server honours no conditions', async () => {
    const other = await temporaryFolder()
    // One after the other: each would be told of the other one instead.
    const [keys] = await Promise.allSettled([startOrigin({ 'data-dir': other.path })])
    await other.remove()
    // Only at the start is it tried what the server honours.
    proxy.fail(/^PUT .*\/mirrorball\/probes\//, succeeds)
    const [conditions] = await Promise.allSettled([startOrigin()])
    proxy.mend()
    expect(keys).toMatchObject({
      reason: { message: expect.stringMatching(/ended with 1:[\s\S]*they have not the same edge\.key/) },
    })
    expect(conditions).toMatchObject({
      reason: { message: expect.stringMatching(/ended with 1:[\s\S]*does not honour If-None-Match/) },
    })
    expect(await marks()).toHaveLength(2)
  })

  test('starts with other rules, says so, and takes its mark away when it stops', async () => {
    const third = await startOrigin({ 'access-delete': 'false' })
    const said = third.log.filter(({ level, msg }) => level === 'warn' && /other access rules/.test(String(msg)))
    expect([said.length, (await marks()).length]).toEqual([2, 3])
    expect(await third.stop()).toBe(0)
    expect(await marks()).toHaveLength(2)
  })

  test('leaves no mark where it is read-only', async () => {
    const reading = await startOrigin({ 'access-read-only': 'true' })
    expect(await marks()).toHaveLength(2)
    await reading.stop()
  })

  test('that finds its address taken leaves none either', async () => {
    const taken = new URL(one.url).host
    await expect(startOrigin({ 'origin-listen': taken })).rejects.toThrow(/is taken by another program/)
    expect(await marks()).toHaveLength(2)
  })
})
