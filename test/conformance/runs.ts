// Which runs of the suite there are: every face of the registry, however blobs get from it to clients.

import { suiteVersions, type SuiteVersion } from '../support/conformance.ts'
import type { Face } from '../support/faces/faces.ts'

/** A registry, and what its runs push. */
export interface Setup {
  /** What hands out blobs to whom an edge redirects: the bucket process, or one that knows nothing of registries. */
  readonly bucket: 'bucket process' | 'plain bucket'
  /** Whether `push.allow_sparse` is set, and such content is pushed. */
  readonly sparse: boolean
  /** Whether the registry answers none but users, and the suite signs in as one. Uploads then go past the edges. */
  readonly users: boolean
}

export const setups: readonly Setup[] = [
  { bucket: 'bucket process', sparse: false, users: false },
  { bucket: 'bucket process', sparse: true, users: false },
  { bucket: 'bucket process', sparse: false, users: true },
  { bucket: 'plain bucket', sparse: false, users: false },
]

export interface Run extends Setup {
  readonly face: Face
  /** How blobs reach a client of this run: from the face, or from the bucket. */
  readonly blobs: 'streamed' | 'redirected'
  readonly version: SuiteVersion
}

export function runsOf(setup: Setup): readonly Run[] {
  return ways
    .filter(({ blobs }) => setup.bucket === 'bucket process' || blobs === 'redirected')
    .flatMap((way) => suiteVersions.map((version) => ({ ...setup, ...way, version })))
}

const ways = [
  { face: 'origin', blobs: 'streamed' },
  { face: 'edge on Node', blobs: 'redirected' },
  { face: 'edge on Node', blobs: 'streamed' },
  { face: 'edge in workerd', blobs: 'redirected' },
  { face: 'edge in workerd', blobs: 'streamed' },
] as const satisfies readonly Pick<Run, 'face' | 'blobs'>[]
