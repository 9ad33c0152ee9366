// docs/conformance.md names the commit of the suite, and has every run and every reason; the runs themselves, which need the
// suite, look whether its numbers are right.

import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { reasons } from '../conformance/not-passed.ts'
import { cellsOf, pageFile } from '../conformance/page.ts'
import { runsOf, setups } from '../conformance/runs.ts'
import { readPrinted, suiteCommit } from '../support/conformance.ts'

const page = await readFile(pageFile, 'utf8')

describe('docs/conformance.md', () => {
  test('names the commit', () => {
    expect(page).toContain(suiteCommit)
  })

  test.each(setups.flatMap(runsOf))('has a row of $face, $blobs, $version, $bucket, sparse: $sparse', (run) => {
    expect(page).toContain(`| ${cellsOf(run).join(' | ')} | `)
  })

  test.each(reasons)('says why: $why', ({ why, tests }) => {
    expect(page).toContain(why)
    for (const name of Object.keys(tests)) expect(page).toContain(`\`${name}\``)
  })
})

describe('what the suite prints', () => {
  const printed = `Test results
OCI Conformance Test: FAIL
  OCI Conformance Test/ping: Pass
  OCI Conformance Test/blobs: FAIL
    OCI Conformance Test/blobs/range: Skip
     - range request unsupported
    OCI Conformance Test/blobs/get: FAIL
     - wrong status
       and more
  OCI Conformance Test/end: Disabled

Configuration:
  Pass....: 77

OCI Conformance Result: FAIL
  Disabled......................:          1
  Skip..........................:          2
  Pass..........................:         13
  FAIL..........................:          4
  Error.........................:          5
  Total.........................:         25
`

  test('is read: its counts, and the tests that did not pass', () => {
    expect(readPrinted(printed)).toEqual({
      counts: { Disabled: 1, Skip: 2, Pass: 13, FAIL: 4, Error: 5 },
      tests: [
        { name: 'blobs/get', status: 'FAIL', says: 'wrong status and more' },
        { name: 'blobs/range', status: 'Skip', says: 'range request unsupported' },
        { name: 'end', status: 'Disabled', says: '' },
      ],
    })
  })

  test('is refused where counts are missing', () => {
    expect(() => readPrinted(printed.replace('  FAIL.', '  none.'))).toThrow('no count of FAIL')
    expect(() => readPrinted('panic: no results')).toThrow('no count of Pass')
  })
})
