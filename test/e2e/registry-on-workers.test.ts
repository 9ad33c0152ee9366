// The suite of test/e2e/registry.test.ts at the worker as it is deployed: R2 and KV bound, the origin writing to the same R2.

import { afterAll, beforeAll, describe } from 'vitest'
import { startWorkersOnR2, type WorkersOnR2 } from '../support/faces/workers-on-r2.ts'
import { contentNamesSuite } from './content-names.suite.ts'
import { contentSuite } from './content.suite.ts'
import { pullSuite } from './pull.suite.ts'
import { pushBlobsSuite } from './push-blobs.suite.ts'
import { pushManifestsSuite } from './push-manifests.suite.ts'
import { refusalsSuite } from './refusals.suite.ts'

describe('the worker with R2 and KV bound', () => {
  let registry: WorkersOnR2

  beforeAll(async () => {
    registry = await startWorkersOnR2()
  })

  afterAll(() => registry.stop())

  const base = () => registry.workers.signed
  pullSuite(base, 'any')
  pushBlobsSuite(base)
  pushManifestsSuite(base)
  refusalsSuite(base)
  contentSuite(base)
  contentNamesSuite(base)
})
