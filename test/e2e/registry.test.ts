// One suite, unchanged, against the origin, the edge on Node and the edge in workerd: real processes, real HTTP.

import { afterAll, beforeAll, describe } from 'vitest'
import { faces } from '../support/ways-in.ts'
import { startStack, type Stack } from '../support/stack.ts'
import { contentSuite } from './content.suite.ts'
import { pullSuite } from './pull.suite.ts'
import { pushSuite } from './push.suite.ts'

describe.each(faces)('%s', (_, runtime, face) => {
  let stack: Stack

  beforeAll(async () => {
    stack = await startStack(runtime)
  })

  afterAll(() => stack.stop())

  pullSuite(() => face(stack))
  pushSuite(() => face(stack))
  contentSuite(() => face(stack))
})
