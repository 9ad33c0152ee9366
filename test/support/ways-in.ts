// The three ways into the registry, for suites that have to hold at each of them.

import type { EdgeRuntime, Stack } from './stack.ts'

/** What it is called, the edge to start the stack with, and its URL there. */
export const faces: readonly (readonly [string, EdgeRuntime, (stack: Stack) => string])[] = [
  ['the origin', 'node', ({ originUrl }) => originUrl],
  ['the edge on Node', 'node', ({ edgeUrl }) => edgeUrl],
  ['the edge in workerd', 'workerd', ({ edgeUrl }) => edgeUrl],
]
