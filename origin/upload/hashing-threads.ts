// Hashes files while they are written, in threads beside the one that takes uploads: its time is what bounds an upload, and
// the digest and the leaves of a blob take more of it than all else. They read what was written, from the system's memory,
// since to hand the bytes over would cost that thread as much as it saves.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import { leafBytes } from '../../shared/ipfs/cid.ts'
import type { BlobHash } from '../../shared/ports/hasher.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import type { FollowedFile, HashAnswer, HashRequest } from './hashing-thread.ts'
import { nodeHasher } from './node-hasher.ts'

export interface HashingThreads {
  /** The hash of a file whose bytes are in it when `update` is told of them. */
  follow(file: FollowedFile): BlobHash
}

/** One core is for whoever takes the bytes. More than a few hash faster than a disk writes. */
const threadLimit = Math.max(1, Math.min(4, availableParallelism() - 1))

/** Bytes that a thread is sent after: each message costs some microseconds. */
const stepBytes = 512 * 1024

type Hashes = Extract<HashAnswer, { digest: unknown }>

interface Thread {
  /** How many files it follows. */
  files: number
  post(request: HashRequest): void
  ask(request: HashRequest): Promise<Hashes>
}

/** Threads are started as they are needed, and do not keep a process alive that waits for none of them. */
export function createHashingThreads(): HashingThreads {
  const threads = new Set<Thread>()
  let lastId = 0

  function leastBusy(): Thread {
    const [least] = [...threads].toSorted((one, other) => one.files - other.files)
    if (least !== undefined && (least.files === 0 || threads.size >= threadLimit)) return least
    const started = startThread(() => threads.delete(started))
    threads.add(started)
    return started
  }

  return {
    follow(file) {
      // What is no longer than a leaf is hashed here, sooner than a thread would have heard of it.
      const beginning = startBlobHash(nodeHasher, file.algorithm, file.withLeaves)
      const id = (lastId += 1)
      let thread: Thread | undefined
      let isEnded = false
      let [sizeBytes, sentBytes] = [0, 0]
      let asked: Promise<Hashes> | undefined
      /** Undefined where no thread was needed. */
      const ask = async () => {
        if (isEnded) throw new UpstreamError('bucket', 'nobody follows this upload any more')
        return thread && (asked ??= thread.ask({ id, file, sizeBytes, isAsked: true }))
      }

      return {
        algorithm: file.algorithm,
        update(chunk) {
          if (isEnded) return
          asked = undefined
          sizeBytes += chunk.byteLength
          if (sizeBytes <= leafBytes) return beginning.update(chunk)
          if (thread === undefined) {
            thread = leastBusy()
            thread.files += 1
          }
          if (sizeBytes - sentBytes < stepBytes) return
          sentBytes = sizeBytes
          thread.post({ id, file, sizeBytes, isAsked: false })
        },
        digest: async () => (await ask())?.digest ?? beginning.digest(),
        async leaves() {
          const told = await ask()
          return told === undefined || !file.withLeaves ? beginning.leaves() : told.leaves
        },
        end() {
          if (isEnded) return
          isEnded = true
          if (thread === undefined) return
          thread.files -= 1
          thread.post({ id, file: undefined })
        },
      }
    },
  }
}

/** Beside this file, in the sources as in the bundle. */
const program = new URL(`./hashing-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/** @param onGone it answers no more, and another one has to be started for files to come */
function startThread(onGone: () => void): Thread {
  const worker = new Worker(program)
  const waiting = new Map<number, PromiseWithResolvers<Hashes>>()
  let gone: UpstreamError | undefined

  const end = (why: string) => {
    gone ??= new UpstreamError('bucket', `the thread that hashes uploads ended: ${why}`)
    onGone()
    for (const { reject } of waiting.values()) reject(gone)
    waiting.clear()
  }
  worker.on('error', (error) => end(String(error)))
  worker.on('exit', (code) => end(`code ${code}`))
  worker.on('message', (answer: HashAnswer) => {
    const asker = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (waiting.size === 0) worker.unref()
    if ('error' in answer) asker?.reject(new UpstreamError('bucket', `an upload cannot be hashed: ${answer.error}`))
    else asker?.resolve(answer)
  })
  worker.unref()

  return {
    files: 0,
    post: (request) => worker.postMessage(request),
    async ask(request) {
      if (gone !== undefined) throw gone
      const answered = Promise.withResolvers<Hashes>()
      waiting.set(request.id, answered)
      worker.ref()
      worker.postMessage(request)
      return answered.promise
    },
  }
}
