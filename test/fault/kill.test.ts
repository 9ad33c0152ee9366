// The origin, killed at random moments of real pushes: what it acknowledged is there, no digest has wrong bytes, and what
// was interrupted succeeds when it is repeated.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pushBlob, manifestText, putManifest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
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

interface Acknowledged {
  readonly tag: string
  readonly manifest: string
}

/** Pushes images until the origin is gone; returns what was acknowledged, and what was under way. */
async function pushUntilKilled(base: string, round: number, acknowledged: Acknowledged[]): Promise<Acknowledged> {
  for (let number = 0; ; number++) {
    const config = JSON.stringify({ round, number })
    const layers = [
      `layer ${round}-${number}`,
      Buffer.from(randomBytes(`${round}-${number}`, 300_000)).toString('latin1'),
    ]
    const image = { tag: `t${round}-${number}`, manifest: manifestText(config, layers) }
    try {
      await pushImageOf(base, image, [config, ...layers])
    } catch {
      return image
    }
    acknowledged.push(image)
  }
}

async function pushImageOf(base: string, { tag, manifest }: Acknowledged, blobs: readonly string[]): Promise<void> {
  await Promise.all(blobs.map((blob) => pushBlob(base, 'killed/often', blob)))
  for (const reference of [tag, 'latest']) {
    const response = await putManifest(base, 'killed/often', reference, manifest)
    if (response.status !== 201)
      throw new Error(`the manifest was answered ${response.status}: ${await response.text()}`)
  }
}

test(`${kills} kills lose nothing that was acknowledged (seed ${seed})`, async () => {
  const acknowledged: Acknowledged[] = []
  let origin: Part = await startOrigin()
  let latestBefore: string | undefined
  for (let round = 0; round < kills; round++) {
    const delayMs = 20 + (randomBytes(`${seed}-${round}`, 2).reduce((sum, byte) => sum * 256 + byte, 0) % 400)
    const timer = setTimeout(() => void origin.kill(), delayMs)
    const already = acknowledged.length
    const interrupted = await pushUntilKilled(origin.url, round, acknowledged)
    clearTimeout(timer)
    await origin.kill()
    origin = await startOrigin()

    for (const { tag, manifest } of acknowledged.slice(-5)) await expectWhole(origin.url, tag, sha256(manifest))
    const response = await fetch(`${origin.url}/v2/killed/often/manifests/latest`)
    const latest = response.status === 404 ? undefined : sha256(await response.text())
    // A push that was interrupted may have landed, in an earlier round too.
    const last = acknowledged.length > already ? sha256(acknowledged.at(-1)?.manifest ?? '') : latestBefore
    expect([last, sha256(interrupted.manifest)]).toContain(latest)
    latestBefore = latest
  }
  for (const { tag, manifest } of acknowledged) await expectWhole(origin.url, tag, sha256(manifest))
  expect(acknowledged.length).toBeGreaterThan(kills)
  await expectNoWrongBytes(join(folder.path, 'bucket/docker/registry/v2/blobs/sha256'))

  const again: Acknowledged[] = []
  const timer = setTimeout(() => void origin.kill(), 3000)
  const last = await pushUntilKilled(origin.url, kills, again)
  clearTimeout(timer)
  expect([...again, last].length).toBeGreaterThan(1)
})

async function expectWhole(base: string, tag: string, digest: string): Promise<void> {
  const response = await fetch(`${base}/v2/killed/often/manifests/${tag}`)
  const text = await response.text()
  expect([response.status, sha256(text)]).toEqual([200, digest])
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] }
  for (const blob of [config, ...layers]) {
    const answer = await fetch(`${base}/v2/killed/often/blobs/${blob.digest}`)
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(blob.digest)
  }
}

async function expectNoWrongBytes(blobs: string): Promise<void> {
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    expect(sha256(new Uint8Array(await readFile(file)))).toBe(`sha256:${file.split('/').at(-2)}`)
  }
}
