// docs/conformance.md, made from what the runs counted.

import { join } from 'node:path'
import { suiteCommit, type SuiteResult } from '../support/conformance.ts'
import { projectFolder } from '../support/stack.ts'
import { type Reason, reasons } from './not-passed.ts'
import type { Run } from './runs.ts'

export const pageFile = join(projectFolder, 'docs/conformance.md')

export interface Counted {
  readonly run: Run
  readonly counts: SuiteResult['counts']
}

/** @param all in the order of the table */
export function conformancePage(all: readonly Counted[]): string {
  const runs = all.map(({ run, counts }) => [
    ...cellsOf(run),
    String(counts.Pass),
    String(counts.Skip),
    String(counts.Disabled),
    String(counts.FAIL),
    String(counts.Error),
  ])
  return `# Conformance

Written by \`npm run conformance:write\`. The suite is that of [opencontainers/distribution-spec](https://github.com/opencontainers/distribution-spec/tree/${suiteCommit}/conformance), commit \`${suiteCommit}\`; the numbers are its own counts of checks. \`CONFORMANCE_BIN=… npm test -- test/conformance\` repeats the runs: all that does not pass is listed below, everything else is a failure of the test.

An edge redirects clients to the bucket for blobs, and streams to those who came by another name than loopback while the bucket is on loopback. Sparse: with \`push.allow_sparse\`, and the suite’s content of that kind; otherwise the configuration is the default one. Users: everything takes a token, the suite signs in, and what it uploads by an edge goes past it to the origin’s public host. A plain bucket is one that sends no \`Docker-Content-Digest\`, as those of S3.

${table(['face', 'blobs', 'version', 'sparse', 'users', 'passed', 'skipped', 'disabled', 'failed', 'errors'], runs)}

## What does not pass, and why

${reasons.map(section).join('\n\n')}
`
}

/** The cells by which a run is told from the others. */
export function cellsOf({ face, blobs, bucket, version, sparse, users }: Run): readonly string[] {
  const from = blobs === 'streamed' ? blobs : `${blobs} to the ${bucket}`
  return [face, from, version, sparse ? 'yes' : 'no', users ? 'yes' : 'no']
}

function section({ why, testStatus, tests, apis, data }: Reason): string {
  const list = [
    ...Object.entries(tests).map(([name, times]) => `test \`${name}\`${times === 1 ? '' : ` (${times} times)`}`),
    ...apis.map((name) => `API “${name}”`),
    ...data.map((name) => `content “${name}”`),
  ]
  const status = { Pass: 'Passed', Skip: 'Skipped', Disabled: 'Disabled', FAIL: 'Failed', Error: 'Errors' }[testStatus]
  return `${status}: ${why}.\n\n${list.map((each) => `- ${each}`).join('\n')}`
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
