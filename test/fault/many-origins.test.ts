// Two origins on one S3 bucket, behind a balancer that gives each request to the next one, while one of them after the
// other is killed and started again: whatever a client was told has been pushed is there, whole, by way of each.

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { miniflareS3, type S3Server, s3Settings, versitygw } from '../support/bucket/s3-servers.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { freePort } from '../support/http/free-port.ts'
import { startRoundRobin } from '../support/http/round-robin.ts'
import { makeImage, sha256, type TestImage } from '../support/image.ts'
import { anyPorts, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

/** Pushes at once, and of those how many have to succeed for the rest of the test to mean anything. */
const [pushes, leastPushed] = [50, 40]

/** Answers of origins from one kill to the next: some seconds. */
const answersPerLife = 150

const kib = 1024

/** Bytes of layers: enough of them that pushes go on for several kills. One in ten has more than one piece at the origin. */
const layerSizes = (number: number) => [
  20 * kib,
  40 * kib,
  80 * kib,
  number % 10 === 0 ? 9 * 1024 * kib : 200 * kib,
  number % 2 === 0 ? 500 * kib : 5 * kib,
]

describeWith(['skopeo'], 'two origins behind a balancer,', () => {
  const kind = versitygw.missing === undefined ? versitygw : miniflareS3
  const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = []
  const origins: Part[] = []
  let server: S3Server
  let edge: Part
  let balancer: Awaited<ReturnType<typeof startRoundRobin>>

  const start = (verb: 'origin' | 'edge', folder: string, more: Record<string, string>) =>
    startPart(verb, { 'data-dir': folder, ...anyPorts, ...s3Settings(server.access), ...more })

  // Not any port that the system gives: while an origin is down, a connection of somebody else could have it.
  const ports: number[] = []

  const startOrigin = async (at: number) => {
    ports[at] ??= await freePort()
    origins[at] = await start('origin', folders[at]?.path ?? '', { 'origin-listen': `127.0.0.1:${ports[at]}` })
  }

  beforeAll(async () => {
    for (let count = 0; count < 3; count++) folders.push(await temporaryFolder())
    const [one = '', two = ''] = folders.map(({ path }) => join(path, 'accounts'))
    server = await kind.start()
    await startOrigin(0)
    await cp(one, two, { recursive: true })
    await startOrigin(1)
    balancer = await startRoundRobin(origins.map(({ url }) => url))
    edge = await start('edge', folders[0]?.path ?? '', { 'edge-origin-url': balancer.url })
  })

  afterAll(async () => {
    await edge.stop()
    await balancer.stop()
    for (const origin of origins) await origin.stop()
    await server.stop()
    for (const folder of folders) await folder.remove()
  })

  const images = () => join(folders[2]?.path ?? '', 'images')
  const nameOf = (number: number) => `many/app${number % 5}`
  const tagOf = (number: number) => `t${number}`

  /** Why it failed, in the client's words; undefined where it succeeded. */
  async function push(number: number, { folder }: TestImage): Promise<string | undefined> {
    const target = `docker://${new URL(balancer.url).host}/${nameOf(number)}:${tagOf(number)}`
    const home = folders[2]?.path ?? ''
    const options = ['--insecure-policy', 'copy', '--preserve-digests', '--retry-times=6', '--dest-tls-verify=false']
    try {
      await runClient('skopeo', [...options, `oci:${folder}:latest`, target], { HOME: home, XDG_DATA_HOME: home })
      return undefined
    } catch (error) {
      return String(error)
    }
  }

  test(`${pushes} pushes at once, while one origin after the other is killed, lose nothing on ${kind.name}`, async ({
    annotate,
  }) => {
    const made: TestImage[] = []
    for (let number = 0; number < pushes; number++)
      made.push(await makeImage(join(images(), String(number)), `many ${number}`, layerSizes(number)))
    const began = Date.now()
    let pushing = true
    const pushed = Promise.all(made.map((image, number) => push(number, image))).finally(() => (pushing = false))

    let kills = 0
    for (;;) {
      const until = balancer.answered() + answersPerLife
      await eventually('the origins answer', () => !pushing || balancer.answered() >= until, 120_000)
      if (!pushing) break
      await origins[kills % 2]?.kill()
      await startOrigin(kills % 2)
      kills += 1
    }

    const outcomes = await pushed
    const failures = outcomes.filter((failure) => failure !== undefined)
    const succeeded = pushes - failures.length
    const shared = balancer.finished().filter((origins) => origins > 1).length
    await annotate(
      `${succeeded} of ${pushes} pushes succeeded beside ${kills} kills, which broke ${balancer.broken()} requests; ` +
        `${shared} of ${balancer.finished().length} uploads were finished by another origin than began them (${Date.now() - began} ms)`,
    )
    // Nobody has to give up for anything else than that an origin died under the last of its tries.
    for (const failure of failures)
      expect(failure).toMatch(/: (?:unexpected )?EOF"|connection reset by peer|broken pipe/)
    expect(succeeded).toBeGreaterThanOrEqual(leastPushed)
    expect(kills).toBeGreaterThan(2)
    expect(balancer.broken()).toBeGreaterThan(0)
    expect(shared).toBeGreaterThan(pushes / 2)

    const faces = [...origins, edge].map(async ({ url }) => {
      for (const [number, image] of made.entries())
        await expectWhole(url, number, image, outcomes[number] === undefined)
    })
    await Promise.all(faces)
  }, 600_000)

  async function expectWhole(base: string, number: number, image: TestImage, succeeded: boolean): Promise<void> {
    const at = `${base}/v2/${nameOf(number)}`
    const answer = await fetch(`${at}/manifests/${tagOf(number)}`)
    const text = await answer.text()
    // A push that failed may have set its tag all the same, with its answer lost.
    if (!succeeded && answer.status === 404) return
    expect([answer.status, sha256(text)]).toEqual([200, image.manifest.digest])
    for (const { digest } of [image.config, ...image.layers]) {
      const blob = await fetch(`${at}/blobs/${digest}`)
      expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(digest)
    }
  }
})
