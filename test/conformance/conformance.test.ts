// The conformance suite of the OCI distribution-spec against every face. What need not pass is in not-passed.ts; with
// MIRRORBALL_TEST_WRITE_CONFORMANCE set, as by `npm run conformance:write`, docs/conformance.md is written from the runs.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashPassword } from '../../origin/accounts/password-hash.ts'
import { missingSuite, runSuite, suiteCommit, type SuiteResult } from '../support/conformance.ts'
import { type Faces, slugOf, startFaces } from '../support/faces/faces.ts'
import { withPublicHost } from '../support/faces/public-host.ts'
import { type PassingProxy, startPassingProxy } from '../support/http/passing-proxy.ts'
import { temporaryFolder } from '../support/stack.ts'
import { expectedOf, foundIn } from './not-passed.ts'
import { conformancePage, type Counted, pageFile } from './page.ts'
import { type Run, runsOf, type Setup, setups } from './runs.ts'

const missing = missingSuite()
const writes = process.env['MIRRORBALL_TEST_WRITE_CONFORMANCE'] !== undefined

describe.skipIf(missing !== undefined)(`the conformance suite of OCI (${missing ?? suiteCommit})`, () => {
  const counted: Counted[] = []

  describe.each(setups)('with the $bucket, sparse content: $sparse, users: $users', (setup) => {
    let registry: Registry

    beforeAll(async () => {
      registry = await startRegistry(setup)
    })

    afterAll(() => registry.stop())

    test.each(runsOf(setup))('the $face, blobs $blobs, version $version', async (run) => {
      const handedOut = registry.faces.watchBlobs(run.face)
      const result = await runAt(registry.faces, run)
      const redirected = run.face === 'origin' ? [] : handedOut()

      const expected = expectedOf(run)
      expect(foundIn(result)).toEqual(expected)
      const expectedCount = (status: string) => expected.tests.filter((each) => each.status === status).length
      expect(result.counts).toEqual({
        Pass: expect.any(Number),
        Skip: expectedCount('Skip'),
        Disabled: expectedCount('Disabled'),
        FAIL: expectedCount('FAIL'),
        Error: 0,
      })
      expect(redirected.length > 0 ? 'redirected' : 'streamed').toBe(run.blobs)
      // A build that was told no commit cannot say it.
      expect([suiteCommit, 'unknown']).toContain(result.commit)
      counted.push({ run, counts: result.counts })
    })
  })

  test('is what docs/conformance.md tells', async () => {
    expect(counted).toHaveLength(setups.flatMap(runsOf).length)
    if (writes) await writeFile(pageFile, conformancePage(counted))
    expect(await readFile(pageFile, 'utf8'), 'npm run conformance:write brings it up to date').toBe(
      conformancePage(counted),
    )
  })
})

interface Registry {
  readonly faces: Faces
  stop(): Promise<void>
}

/** Of the one user. */
const login = { username: 'suite', password: 'the password of the suite' }

async function startRegistry({ bucket, sparse, users }: Setup): Promise<Registry> {
  let front: PassingProxy | undefined
  const plainBucket = async (bucketUrl: string) => {
    front = await startPassingProxy(bucketUrl, 'docker-content-digest')
    return front.url + new URL(bucketUrl).pathname
  }
  const folder = await temporaryFolder()
  const htpasswd = join(folder.path, 'htpasswd')
  if (users) await writeFile(htpasswd, `${login.username}:${await hashPassword(login.password)}\n`)
  const options = {
    ...(sparse ? { 'push-allow-sparse': 'true' } : {}),
    ...(users ? { 'access-anonymous': 'none', 'access-htpasswd': htpasswd, 'access-delete': 'true' } : {}),
  }
  const start = (more: Readonly<Record<string, string>> = {}) =>
    startFaces({ ...options, ...more }, bucket === 'plain bucket' ? plainBucket : undefined)
  const faces = users ? await withPublicHost(start) : await start()
  return {
    faces,
    async stop() {
      await faces.stop()
      await front?.stop()
      await folder.remove()
    },
  }
}

async function runAt(faces: Faces, { face, blobs, version, sparse, users }: Run): Promise<SuiteResult> {
  const repositories = `${slugOf(face)}/${blobs}/${version}`
  const run = { url: faces.url(face), version, sparse, repositories, ...(users ? { login } : {}) }
  if (face === 'origin' || blobs === 'redirected') return runSuite(run)
  // Who came by a name that is not loopback gets blobs from the edge itself, as the bucket is on loopback.
  const proxy = await startPassingProxy(run.url)
  try {
    return await runSuite({ ...run, url: 'http://registry.example', proxyUrl: proxy.url })
  } finally {
    await proxy.stop()
  }
}
