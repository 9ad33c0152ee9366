// docs/cost.md says what requests cost at Cloudflare; here they are counted. With MIRRORBALL_TEST_WRITE_COST set, the page is
// written, and CPU time measured for it; else it has to agree with what is counted.

import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countRequests, type Counts } from '../support/cost/count.ts'
import { measureCpu } from '../support/cost/cpu.ts'
import { type MeasuredRegistry, startMeasuredRegistry } from '../support/cost/measured.ts'
import { costPage, pageFile, readCpu } from '../support/cost/page.ts'

let registry: MeasuredRegistry
let counts: Counts

beforeAll(async () => {
  registry = await startMeasuredRegistry()
  counts = await countRequests(registry)
})

afterAll(() => registry.stop())

test('docs/cost.md has what is counted', async () => {
  const isWritten = process.env['MIRRORBALL_TEST_WRITE_COST'] !== undefined
  if (isWritten) await writeFile(pageFile, costPage(counts, await measureCpu(registry)))
  const page = await readFile(pageFile, 'utf8')
  // Times are of the machine that wrote the page.
  expect(page, 'MIRRORBALL_TEST_WRITE_COST=1 npm test -- test/e2e/cost.test.ts writes the page').toBe(
    costPage(counts, readCpu(page)),
  )
})

test('a pull of what was pulled before asks the origin nothing, lists nothing and writes nothing', () => {
  const [, ...others] = counts.pulls
  for (const { what, worker, origin } of others) {
    expect([what, worker]).toMatchObject([what, { fetches: 0, classA: 0, kvWrites: 0 }])
    expect([what, origin]).toMatchObject([what, { classA: 0, classB: 0 }])
  }
})
