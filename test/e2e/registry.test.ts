// One suite, unchanged, against the origin, the edge on Node, with the bucket’s folder and over HTTP, and the edge in
// workerd: real processes, real HTTP.

import { afterAll, beforeAll, describe } from 'vitest'
import { stackFaces } from '../support/faces/faces.ts'
import { startStack, type Stack } from '../support/stack.ts'
import { contentNamesSuite } from './content-names.suite.ts'
import { contentSuite } from './content.suite.ts'
import { pullSuite } from './pull.suite.ts'
import { pushBlobsSuite } from './push-blobs.suite.ts'
import { pushManifestsSuite } from './push-manifests.suite.ts'
import { refusalsSuite } from './refusals.suite.ts'

const overHttp = 'the edge on Node that reads the bucket over HTTP'
const waysIn: readonly (typeof stackFaces)[number][] = [...stackFaces, [overHttp, 'node', ({ edgeUrl }) => edgeUrl]]

describe.each(waysIn)('%s', (name, runtime, face) => {
  let stack: Stack

  beforeAll(async () => {
    stack = await startStack(runtime, undefined, name === overHttp ? { 'edge-bucket-access': 'http' } : {})
  })

  afterAll(() => stack.stop())

  pullSuite(() => face(stack))
  pushBlobsSuite(() => face(stack))
  pushManifestsSuite(() => face(stack))
  refusalsSuite(() => face(stack))
  contentSuite(() => face(stack))
  contentNamesSuite(() => face(stack))
})
