// What a push is answered with once its bytes are safe.

import type { Digest } from '../protocol/digest.ts'
import type { Answer } from './answer.ts'

/** Relative, so that it is right behind every proxy, name and port (RFC 9110 section 10.2.2 allows it). */
export function createdAnswer(location: string, digest: Digest): Answer {
  return {
    status: 201,
    body: null,
    headers: {
      Location: location,
      'Docker-Content-Digest': digest,
      'Content-Length': '0',
      'Cache-Control': 'no-store',
    },
  }
}
