// Reads of IPFS by CID from sources that may lie: every block is hashed before it is used, and where a source fails the
// next one goes on for the blocks that are still missing.

import { LRUCache } from 'lru-cache'
import type { BlockSource } from '../ports/block-source.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Cid } from '../protocol/cid.ts'
import { openSession, type SourceSession } from './source-session.ts'
import { type DirectoryEntry, listDirectory, resolvePath } from './unixfs-directory.ts'
import { openUnixfsFile, type OpenedFile } from './unixfs-file.ts'

export interface VerifiedReaderOptions {
  /** In the order in which they are asked. */
  readonly sources: readonly BlockSource[]
  readonly clock: Clock
  readonly log: Log
}

export interface VerifiedFile {
  readonly sizeBytes: number
  /** Verified bytes, as they are asked for. Must be read to its end or cancelled; ends in an error rather than short. */
  readonly body: ReadableStream<Uint8Array>
}

export interface FileToRead {
  /** The DAG that the file is part of, by which sources find who has it; the file itself where it stands alone. */
  readonly top: Cid
  readonly cid: Cid
  /** Largest size that is read. */
  readonly maxBytes: number
}

export interface VerifiedReader {
  /** Begins to read the DAG under `top`, until `close` is called or the signal is aborted. Nothing is asked for yet. */
  open(top: Cid, wait: Wait): VerifiedDag

  /** Opens one file, and closes everything once its body has ended or was cancelled, or where opening it fails. */
  file(file: FileToRead, wait: Wait): Promise<VerifiedFile>
}

/**
 * What lies under one CID. Every call rejects with NotFoundOnIpfs where all sources answered that they do not have a
 * block, UpstreamError('ipfs') where nobody had it and a source lied or did not answer, UnusableContent where the content
 * is not what was asked for or goes beyond a limit, and the signal's reason.
 */
export interface VerifiedDag {
  /** One block. */
  block(cid: Cid, wait: Wait): Promise<Uint8Array>

  /** A file as a stream; the DAG has to stay open until that has ended. */
  file(cid: Cid, maxBytes: number, wait: Wait): Promise<VerifiedFile>

  /** A file at a path under a directory, whole. Undefined where the path is not there. */
  smallFile(cid: Cid, path: readonly string[], limitBytes: number, wait: Wait): Promise<Uint8Array | undefined>

  /** The names in a directory, at a path under another. Undefined where there is no directory at that path. */
  list(cid: Cid, path: readonly string[], wait: Wait): Promise<readonly DirectoryEntry[] | undefined>

  /** Ends what is still read, and closes the sources. */
  close(): void
}

interface OpenDag extends VerifiedDag {
  /** As `file`; `ended` is called once the stream has ended or was cancelled. */
  openFile(cid: Cid, maxBytes: number, wait: Wait, ended: () => void): Promise<VerifiedFile>
}

/** Bytes of directory nodes that are kept while a DAG is open: most paths in it begin alike. */
const keptNodesBytes = 4 * 1024 * 1024

export function createVerifiedReader({ sources, clock, log }: VerifiedReaderOptions): VerifiedReader {
  function openDag(top: Cid, { signal }: Wait): OpenDag {
    const session = openSession({ sources, top, clock, log })
    const nodes = new LRUCache<Cid, Uint8Array>({
      maxSize: keptNodesBytes,
      sizeCalculation: (bytes) => Math.max(bytes.byteLength, 1),
    })
    const onAbort = () => close(signal.reason)
    function close(reason: unknown): void {
      signal.removeEventListener('abort', onAbort)
      nodes.clear()
      session.close(reason)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })

    const getNode = (wait: Wait) => async (cid: Cid) => {
      const known = nodes.get(cid)
      if (known !== undefined) return known
      const bytes = await session.block(cid, wait)
      nodes.set(cid, bytes)
      return bytes
    }

    return {
      block: (cid, wait) => session.block(cid, wait),
      file: (cid, maxBytes, wait) => openStream(session, cid, maxBytes, wait, () => {}),
      openFile: (cid, maxBytes, wait, ended) => openStream(session, cid, maxBytes, wait, ended),
      async smallFile(cid, path, limitBytes, wait) {
        const found = await resolvePath(cid, path, getNode(wait))
        if (found === undefined) return undefined
        return wholeOf(await openUnixfsFile(found, limitBytes, (each) => session.block(each, wait)))
      },
      async list(cid, path, wait) {
        const found = await resolvePath(cid, path, getNode(wait))
        return found === undefined ? undefined : listDirectory(found, getNode(wait))
      },
      close: () => close(new Error(`the read of ${top} was closed`)),
    }
  }

  return {
    open: openDag,
    async file({ top, cid, maxBytes }, wait) {
      const dag = openDag(top, wait)
      try {
        return await dag.openFile(cid, maxBytes, wait, () => dag.close())
      } catch (error) {
        dag.close()
        throw error
      }
    },
  }
}

/** A file as a stream that asks for nothing before it is read. `ended` is called once, however it ends. */
async function openStream(
  session: SourceSession,
  cid: Cid,
  maxBytes: number,
  wait: Wait,
  ended: () => void,
): Promise<VerifiedFile> {
  const read = new AbortController()
  const signal = AbortSignal.any([wait.signal, read.signal])
  const { sizeBytes, chunks } = await openUnixfsFile(cid, maxBytes, (each) => session.block(each, { signal }))
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await chunks.next()
          if (done !== true) return controller.enqueue(value)
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        read.abort()
        ended()
      },
      cancel(reason) {
        read.abort(reason)
        ended()
      },
    },
    { highWaterMark: 0 },
  )
  return { sizeBytes, body }
}

async function wholeOf({ sizeBytes, chunks }: OpenedFile): Promise<Uint8Array> {
  const whole = new Uint8Array(sizeBytes)
  let filled = 0
  for await (const chunk of chunks) {
    whole.set(chunk, filled)
    filled += chunk.byteLength
  }
  return whole
}
