// The origin, killed at random moments of real pushes: what it acknowledged is there, no digest has wrong bytes, and what
// was interrupted succeeds when it is repeated.

import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pushBlob, manifestText, putManifest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { filesIn } from '../support/registry-content.ts'
import { temporaryFolder, startPart, type Part } from '../support/stack.ts'

const kills = 20
/** A failing run prints it; the same seed kills at the same moments of the test's own clock. */
const seed = process.env['MIRRORBALL_TEST_SEED'] ?? String(Date.now())

let folder: { path: string; remove: () => Promise<void> }

beforeAll(async () => {
  folder = await temporaryFolder()
})

afterAll(() => folder.remove())

const startOrigin = () => startPart('origin', { 'data-dir': folder.path, 'origin-listen': '127.0.0.1:0' })

interface Image {
  readonly tag: string
  readonly manifest: string
  readonly blobs: readonly string[]
}

/** Pushes images until the origin is gone; returns what was under way, and tells of each that was acknowledged. */
async function pushUntilKilled(base: string, round: number, onPushed: (image: Image) => void): Promise<Image> {
  for (let number = 0; ; number++) {
    const blobs = [
      JSON.stringify({ round, number }),
      `layer ${round}-${number}`,
      Buffer.from(randomBytes(`${round}-${number}`, 300_000)).toString('latin1'),
    ] as const
    const image = { tag: `t${round}-${number}`, manifest: manifestText(blobs[0], blobs.slice(1)), blobs }
    try {
      await push(base, image)
    } catch {
      return image
    }
    onPushed(image)
  }
}

async function push(base: string, { tag, manifest, blobs }: Image): Promise<void> {
  await Promise.all(blobs.map((blob) => pushBlob(base, 'killed/often', blob)))
  for (const reference of [tag, 'latest']) {
    const response = await putManifest(base, 'killed/often', reference, manifest)
    if (response.status !== 201)
      throw new Error(`the manifest was answered ${response.status}: ${await response.text()}`)
  }
}

test(`${kills} kills lose nothing that was acknowledged (seed ${seed})`, async () => {
  const acknowledged: Image[] = []
  let origin: Part = await startOrigin()
  for (let round = 0; round < kills; round++) {
    // Counted in pushes and then in time, so that a slow machine has pushed as much as a fast one when it is killed.
    const [first = 0, second = 0] = randomBytes(`${seed}-${round}`, 2)
    const wholePushes = first % 4
    const delayMs = second % 100
    let pushed = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const killSoon = () => {
      if (pushed === wholePushes) timer = setTimeout(() => void origin.kill(), delayMs)
    }
    killSoon()
    const interrupted = await pushUntilKilled(origin.url, round, (image) => {
      acknowledged.push(image)
      pushed++
      killSoon()
    })
    clearTimeout(timer)
    await origin.kill()
    origin = await startOrigin()

    for (const image of acknowledged.slice(-5)) await expectWhole(origin.url, image)
    const response = await fetch(`${origin.url}/v2/killed/often/manifests/latest`)
    const latest = response.status === 404 ? undefined : await response.text()
    // A push that was interrupted may have landed.
    expect([acknowledged.at(-1)?.manifest, interrupted.manifest]).toContain(latest)

    await push(origin.url, interrupted)
    acknowledged.push(interrupted)
  }
  for (const image of acknowledged) await expectWhole(origin.url, image)
  await expectNoWrongBytes(join(folder.path, 'bucket/docker/registry/v2/blobs/sha256'))
  await origin.kill()
})

async function expectWhole(base: string, { tag, manifest }: Image): Promise<void> {
  const response = await fetch(`${base}/v2/killed/often/manifests/${tag}`)
  const text = await response.text()
  expect([response.status, sha256(text)]).toEqual([200, sha256(manifest)])
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] }
  for (const blob of [config, ...layers]) {
    const answer = await fetch(`${base}/v2/killed/often/blobs/${blob.digest}`)
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(blob.digest)
  }
}

async function expectNoWrongBytes(blobs: string): Promise<void> {
  for (const [name, hash] of Object.entries(await filesIn(blobs))) expect(hash).toBe(name.split('/').at(-2))
}
