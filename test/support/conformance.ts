// The conformance suite of the OCI distribution-spec, a program in Go. It cannot be had from a package service, so tests
// take it from CONFORMANCE_BIN, and are skipped by name without it. It ends with 0 on skips, so its exit code says little.

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'
import { temporaryFolder } from './stack.ts'

/** Of github.com/opencontainers/distribution-spec, folder `conformance`. What is expected of runs is said of this one. */
export const suiteCommit = '967efdc079b91785ad18c77cc4f8991a47feefbf'

export const suiteVersions = ['dev', '1.1'] as const

export type SuiteVersion = (typeof suiteVersions)[number]

export interface SuiteRun {
  /** Address of the registry. */
  readonly url: string
  /** An HTTP proxy on the way there. */
  readonly proxyUrl?: string
  readonly version: SuiteVersion
  /** Whether manifests are pushed without all of their layers. */
  readonly sparse: boolean
  /** Repositories that nobody else uses begin with it. */
  readonly repositories: string
  /** Who pushes and pulls; nobody in particular unless given. */
  readonly login?: { readonly username: string; readonly password: string }
}

const statuses = ['Pass', 'Skip', 'Disabled', 'FAIL', 'Error'] as const

type Status = (typeof statuses)[number]

export interface SuiteResult {
  /** The commit that the program says it was built from; `unknown` where its build did not tell it. */
  readonly commit: string
  readonly counts: Readonly<Record<Status, number>>
  /** Tests that did not pass, without those that others are part of, sorted. Each with its status and what it says. */
  readonly tests: readonly { readonly name: string; readonly status: Status; readonly says: string }[]
  /** How each API fared. */
  readonly apis: Readonly<Record<string, Status>>
  /** How each kind of content fared. */
  readonly data: Readonly<Record<string, Status>>
}

/** What stands in the way of running the suite; undefined where nothing does. */
export function missingSuite(): string | undefined {
  if (process.env['CONFORMANCE_BIN'] !== undefined) return undefined
  return `CONFORMANCE_BIN names no build of the suite of github.com/opencontainers/distribution-spec, commit ${suiteCommit.slice(0, 7)}`
}

/** Runs the suite to its end. Rejects with what it printed where it did not get to its results. */
export async function runSuite(run: SuiteRun): Promise<SuiteResult> {
  const folder = await temporaryFolder()
  try {
    const child = spawn(process.env['CONFORMANCE_BIN'] ?? '', [], {
      cwd: tmpdir(),
      env: environmentOf(run, folder.path),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = new Promise<void>((done, fail) => child.once('close', () => done()).once('error', fail))
    const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    try {
      return { ...readPrinted(printed), ...readResults(await readFile(join(folder.path, 'results.yaml'), 'utf8')) }
    } catch (error) {
      throw new Error(`the suite gave no results:\n${printed}${complaints}`, { cause: error })
    }
  } finally {
    await folder.remove()
  }
}

/** All of it: nothing of ours gets in. */
function environmentOf(run: SuiteRun, resultsFolder: string): Record<string, string> {
  return {
    OCI_REGISTRY: new URL(run.url).host,
    OCI_TLS: 'disabled',
    OCI_VERSION: run.version,
    OCI_REPO1: `${run.repositories}/one`,
    OCI_REPO2: `${run.repositories}/two`,
    OCI_RESULTS_DIR: resultsFolder,
    OCI_DATA_SPARSE: String(run.sparse),
    ...(run.login === undefined ? {} : { OCI_USERNAME: run.login.username, OCI_PASSWORD: run.login.password }),
    ...(run.proxyUrl === undefined ? {} : { HTTP_PROXY: run.proxyUrl }),
  }
}

function readResults(yaml: string): Pick<SuiteResult, 'commit' | 'apis' | 'data'> {
  const { config, apis, data } = parse(yaml) as Pick<SuiteResult, 'apis' | 'data'> & { config: { commit: string } }
  return { commit: config.commit, apis, data }
}

/** The counts are printed only, and the names of tests are nowhere else without a megabyte of traffic around them. */
export function readPrinted(printed: string): Pick<SuiteResult, 'counts' | 'tests'> {
  const lines = printed.split('\n')
  const end = lines.findIndex((line) => line.startsWith('OCI Conformance Result:'))
  const counts = Object.fromEntries(
    statuses.map((status) => {
      const line = lines.slice(end + 1).find((each) => each.startsWith(`  ${status}.`))
      const count = /: +(\d+)$/.exec(line ?? '')?.[1]
      if (end === -1 || count === undefined) throw new Error(`no count of ${status} was printed`)
      return [status, Number(count)]
    }),
  ) as Record<Status, number>

  const nodes: { name: string; status: string; depth: number; says: string }[] = []
  for (const line of lines.slice(0, lines.indexOf('Configuration:'))) {
    const [, spaces = '', name = '', status = ''] = /^( *)OCI Conformance Test(?:\/(.+))?: (\w+)$/.exec(line) ?? []
    const last = nodes.at(-1)
    if (status !== '') nodes.push({ name, status, depth: spaces.length, says: '' })
    else if (last !== undefined) last.says = `${last.says} ${line.replace(/^ *- /, '').trim()}`.trim()
  }
  const tests = nodes
    .filter(({ depth }, at) => (nodes[at + 1]?.depth ?? 0) <= depth)
    .filter(({ status }) => status !== 'Pass')
    .map(({ name, status, says }) => ({ name, status: status as Status, says }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
  return { counts, tests }
}
