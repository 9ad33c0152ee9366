// Every face that pulls can come to: the origin, an edge on Node and one in workerd. All of them of one registry over one
// bucket, or each by itself.

import { blobsSent, watchBlobTraffic } from '../blob-traffic.ts'
import {
  anyPorts,
  type EdgeRuntime,
  type LogLine,
  type Part,
  type Stack,
  peakMemoryMib,
  startPart,
  temporaryFolder,
  withChildren,
} from '../stack.ts'

export const faceNames = ['origin', 'edge on Node', 'edge in workerd'] as const

export type Face = (typeof faceNames)[number]

/** A face as a component of a repository's name, for tests that push the same at each. */
export function slugOf(face: Face): string {
  return face.replaceAll(' ', '-').toLowerCase()
}

/** For suites that start a registry for each: what it is called, the edge to start the stack with, and its URL there. */
export const stackFaces: readonly (readonly [string, EdgeRuntime, (stack: Stack) => string])[] = [
  ['the origin', 'node', ({ originUrl }) => originUrl],
  ['the edge on Node', 'node', ({ edgeUrl }) => edgeUrl],
  ['the edge in workerd', 'workerd', ({ edgeUrl }) => edgeUrl],
]

/** One registry at every face. */
export interface Faces {
  readonly url: (face: Face) => string
  readonly dataFolder: string
  /** Every line that any part has logged so far, and all else it printed. */
  readonly printed: () => string
  /**
   * Watches a face from now on.
   *
   * @returns digests of the blobs that it gave to clients whole, each once, sorted: the origin by itself, an edge by a
   *   redirect to the bucket, which then handed it out
   */
  readonly watchBlobs: (face: Face) => () => readonly string[]
  readonly log: (face: Face) => readonly LogLine[]
  /** Greatest memory in MiB that a face has held so far: all its processes together. */
  readonly peakMemoryMib: (face: Face) => Promise<number>
  /** Ends one face alone. */
  readonly end: (face: Face) => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * @param more options of the command line, for every process
 * @param bucketFrontUrl where clients of the edges find the bucket, if not at itself: given its address
 */
export async function startFaces(
  more: Readonly<Record<string, string>> = {},
  bucketFrontUrl: (bucketUrl: string) => Promise<string> = (bucketUrl) => Promise.resolve(bucketUrl),
): Promise<Faces> {
  const data = await temporaryFolder()
  const options = { 'data-dir': data.path, ...anyPorts, ...more }
  const started: Part[] = []
  const stop = async () => {
    for (const part of started.toReversed()) await part.stop()
    await data.remove()
  }
  const start = async (...args: Parameters<typeof startPart>) => {
    const part = await startPart(...args)
    started.push(part)
    return part
  }
  try {
    const bucket = await start('bucket', options)
    const origin = await start('origin', options)
    const frontUrl = await bucketFrontUrl(bucket.url)
    const startEdge = (edge: EdgeRuntime) =>
      start('edge', { ...options, edge, 'bucket-url': frontUrl, 'edge-origin-url': origin.url })
    const parts: Readonly<Record<Face, Part>> = {
      origin,
      'edge on Node': await startEdge('node'),
      'edge in workerd': await startEdge('workerd'),
    }
    return {
      url: (face) => parts[face].url,
      dataFolder: data.path,
      printed: () => started.map(({ log, text }) => `${JSON.stringify(log)}\n${text()}`).join('\n'),
      watchBlobs(face) {
        if (face === 'origin') return blobsSent(origin.log)
        const traffic = watchBlobTraffic((part) => (part === 'edge' ? parts[face] : bucket).log)
        return () => {
          const handedOut = new Set(traffic.handedOut().map(({ digest }) => digest))
          return traffic.redirected().filter((digest) => handedOut.has(digest))
        }
      },
      log: (face) => parts[face].log,
      async peakMemoryMib(face) {
        const peaks = (await withChildren(parts[face].child.pid ?? 0)).map(peakMemoryMib)
        return (await Promise.all(peaks)).reduce((sum, each) => sum + each, 0)
      },
      async end(face) {
        await parts[face].stop()
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
