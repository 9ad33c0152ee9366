// All that does not pass, and why it need not. Everything that is not listed here passes.

import type { SuiteResult } from '../support/conformance.ts'
import type { Run } from './runs.ts'

type Status = SuiteResult['apis'][string]

export interface Reason {
  readonly why: string
  readonly holdsFor: (run: Run) => boolean
  /** Names of tests, and how many of that name there are. */
  readonly tests: Readonly<Record<string, number>>
  readonly testStatus: Status
  /** What the suite says of each of the tests. */
  readonly says: string
  readonly apis: readonly string[]
  readonly data: readonly string[]
}

const algorithms = ['sha256', 'sha512'] as const

export const reasons: readonly Reason[] = [
  {
    why: 'a `Range` whose end lies before its start is malformed, and RFC 9110 (14.2) lets a server ignore it; the whole blob is what such a client understands',
    holdsFor: () => true,
    tests: eachAlgorithm(['range requests/range 500-0']),
    testStatus: 'Skip',
    says: 'range request unsupported, full blob returned',
    apis: [],
    data: [],
  },
  {
    why: 'version 1.1 of the spec has neither the end of an upload by DELETE nor `?tag=`; both pass in dev',
    holdsFor: ({ version }) => version === '1.1',
    tests: eachAlgorithm(['post cancel/blob-post-cancel']),
    testStatus: 'Disabled',
    says: '',
    apis: ['Blob upload cancel', 'Manifest put with tag params'],
    data: ['Tag Param', 'Tag Param sha512'],
  },
  {
    why: 'manifests without all of their layers are refused unless `push.allow_sparse` is set',
    holdsFor: ({ sparse }) => !sparse,
    tests: {},
    testStatus: 'Disabled',
    says: '',
    apis: [],
    data: ['Sparse Manifests'],
  },
  {
    why: 'a user mounts blobs from repositories that its token is for, and the suite asks for a token for the one alone that it pushes to; it then uploads the blob, as the spec has it',
    holdsFor: ({ users }) => users,
    tests: eachAlgorithm(['mount anonymous/blob-mount-anonymous', 'mount/blob-mount']),
    testStatus: 'Skip',
    says: 'registry returned status 202, fell back to blob POST+PUT',
    apis: ['Blob anonymous mount'],
    data: [],
  },
  {
    why: 'dev wants `Docker-Content-Digest` on the last answer, which after a redirect comes from a bucket that knows no such header',
    holdsFor: ({ bucket, version }) => bucket === 'plain bucket' && version === 'dev',
    tests: {
      ...eachAlgorithm([
        'chunked multi and put chunk/blob-get',
        'chunked multi/blob-get',
        'chunked out-of-order and put chunk/blob-get',
        'chunked out-of-order/blob-get',
        'chunked single/blob-get',
        'empty/blob-get',
        'emptyJSON/blob-get',
        'mount anonymous/blob-get',
        'mount missing/blob-get',
        'mount/blob-get',
        'post only/blob-get',
        'post+put/blob-get',
        'stream/blob-get',
      ]),
      'artifact-index/pull/blob-get': 3,
      'artifact-without-layers/pull/blob-get': 1,
      'artifact/pull/blob-get': 2,
      'artifacts-with-subject/pull/blob-get': 8,
      'bad-digest-image/pull/blob-get': 3,
      'custom-fields/pull/blob-get': 6,
      'data-field/pull/blob-get': 3,
      'image-uncompressed/pull/blob-get': 3,
      'image/pull/blob-get': 3,
      'index-with-subject/pull/blob-get': 9,
      'index/pull/blob-get': 6,
      'large-manifest/pull/blob-get': 3,
      'missing-subject/pull/blob-get': 2,
      'nested-index/pull/blob-get': 10,
      'no-layers/pull/blob-get': 1,
      'non-distributable-layers/pull/blob-get': 2,
      'sha512/pull/blob-get': 6,
      'tag-param-sha256/pull/blob-get': 6,
      'tag-param-sha512/pull/blob-get': 6,
    },
    testStatus: 'FAIL',
    says: 'registry did not return a Docker-Content-Digest header',
    apis: ['Blob get'],
    data: [
      'Artifact',
      'Artifact Index',
      'Artifact without Layers',
      'Artifacts with Subject',
      'Bad Digest Image',
      'Blobs sha256',
      'Blobs sha512',
      'Custom Fields',
      'Data Field',
      'Digest Algorithm sha512',
      'Image',
      'Image Uncompressed',
      'Image with Large Manifest',
      'Index',
      'Index with Subject',
      'Missing Subject',
      'Nested Index',
      'No Layers',
      'Non-distributable Layers',
      'Tag Param',
      'Tag Param sha512',
    ],
  },
]

function eachAlgorithm(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(algorithms.flatMap((algorithm) => names.map((name) => [`${algorithm} blobs/${name}`, 1])))
}

/** What does not pass in a run, as a result has it. */
export interface NotPassed {
  readonly tests: SuiteResult['tests']
  readonly apis: SuiteResult['apis']
  readonly data: SuiteResult['data']
}

/** By the reasons above. */
export function expectedOf(run: Run): NotPassed {
  const holding = reasons.filter(({ holdsFor }) => holdsFor(run))
  const tests = holding.flatMap(({ tests, testStatus, says }) =>
    Object.entries(tests).flatMap(([name, times]) =>
      Array.from({ length: times }, () => ({ name, status: testStatus, says })),
    ),
  )
  const statusOf = (kind: 'apis' | 'data') =>
    Object.fromEntries(holding.flatMap((reason) => reason[kind].map((name) => [name, reason.testStatus])))
  return {
    tests: tests.sort((one, other) => (one.name < other.name ? -1 : 1)),
    apis: statusOf('apis'),
    data: statusOf('data'),
  }
}

/** By the suite. */
export function foundIn({ tests, apis, data }: SuiteResult): NotPassed {
  return { tests, apis: notPassed(apis), data: notPassed(data) }
}

function notPassed(of: Readonly<Record<string, Status>>): Record<string, Status> {
  return Object.fromEntries(Object.entries(of).filter(([, status]) => status !== 'Pass'))
}
