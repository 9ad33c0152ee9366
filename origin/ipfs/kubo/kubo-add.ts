// One file into Kubo, streamed, and named as the profile unixfs-v1-2025 wants.
//
// Not by the RPC library, whose way through Node's fetch costs the origin three times the CPU for each byte; nor can one
// tell with it when a buffer is free again.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import * as v from 'valibot'
import { parseCid } from '../../../shared/ipfs/cid.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { ArrivingFile, ContentFile } from '../../../shared/ports/content-store.ts'
import { orAborted } from '../../../shared/ports/or-aborted.ts'
import { unhurried } from '../../../shared/ports/unhurried.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { parseJson } from '../../../shared/protocol/json.ts'
import type { KuboClient } from './kubo-client.ts'

/** Kubo ignores options that it does not know: what they led to is seen in the CID. Each overrides the node's own configuration. */
const unixfsV1 = {
  'cid-version': '1',
  hash: 'sha2-256',
  'raw-leaves': 'true',
  chunker: 'size-1048576',
  'max-file-links': '1024',
  trickle: 'false',
  pin: 'false',
  progress: 'false',
} as const

/** Takes as long as bytes keep moving. Rejects where Kubo names the file otherwise. */
export async function addFile(kubo: KuboClient, file: ContentFile, wait: Wait): Promise<void> {
  const adding = startAdd(kubo, `add ${file.cid}`, wait)
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    reader = (await adding.unlessEnded(file.open(wait))).getReader()
    for (;;) {
      const { done, value } = await adding.unlessEnded(reader.read())
      if (done) break
      await adding.write(value)
    }
    const cid = await adding.end()
    if (cid !== file.cid) throw new UpstreamError('ipfs', `Kubo names a file ${cid} that should be ${file.cid}`)
  } catch (error) {
    adding.abort()
    // Kubo may have refused the file before its end.
    void reader?.cancel().catch(() => {})
    throw error
  }
}

/** Adds a file whose bytes are still being uploaded; gives up where Kubo or the one who uploads stops for long. */
export function addArriving(kubo: KuboClient): ArrivingFile {
  let adding: Adding | undefined
  let isGivenUp = false

  const unlessGivenUp = async <Result>(step: () => Promise<Result>): Promise<Result | undefined> => {
    if (isGivenUp) return undefined
    try {
      return await step()
    } catch {
      // Why is said when the file is added again.
      isGivenUp = true
      return undefined
    }
  }

  return {
    async write(bytes) {
      await unlessGivenUp(() => (adding ??= startAdd(kubo, 'add of an upload', unhurried)).write(bytes))
    },
    end: () => unlessGivenUp(async () => adding?.end()),
    abort() {
      isGivenUp = true
      adding?.abort()
    },
  }
}

/** A file on its way into Kubo. Whatever ends the call rejects whatever is waited for. */
interface Adding {
  /** The bytes may be reused once it resolves. */
  write(bytes: Uint8Array): Promise<void>
  /** What the file is made of is awaited only as long as the call goes on. */
  unlessEnded<Result>(next: Promise<Result>): Promise<Result>
  /** Kubo's name for all that was written. */
  end(): Promise<Cid>
  abort(): void
}

const boundary = 'mirrorball-4f1c7c9d'
const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n`
const tail = `\r\n--${boundary}--\r\n`

function startAdd(kubo: KuboClient, what: string, wait: Wait): Adding {
  wait.signal.throwIfAborted()
  const url = new URL(`${kubo.address}/add?${new URLSearchParams(unixfsV1).toString()}`)
  // A connection of its own: one that was kept may be closed by Kubo in just this moment.
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: 'POST',
    agent: false,
    headers: { ...kubo.headers, 'Content-Type': `multipart/form-data; boundary=${boundary}` },
  })
  let moved = () => {}
  const done = kubo.call(what, wait, async (limit) => {
    moved = () => limit.extend()
    return nameIn(await answerTo(request, limit.signal))
  })
  const ended = new AbortController()
  done.then(
    () => ended.abort(new UpstreamError('ipfs', `${what}: Kubo answered before the end of the file`)),
    (error: unknown) => {
      request.destroy()
      ended.abort(error)
    },
  )
  request.write(head)
  const unlessEnded = <Result>(next: Promise<Result>) => orAborted(ended.signal, next)
  return {
    unlessEnded,
    async write(bytes) {
      await unlessEnded(new Promise<void>((written) => request.write(bytes, () => written())))
      moved()
    },
    end() {
      request.end(tail)
      return done
    },
    abort: () => void request.destroy(),
  }
}

/** What Kubo says at most of one file. */
const answerLimitBytes = 64 * 1024

/** The answer's body. Rejects where it is no 200, with what Kubo says instead. */
async function answerTo(request: ClientRequest, signal: AbortSignal): Promise<Uint8Array> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).on('error', reject)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    if ((sizeBytes += chunk.byteLength) > answerLimitBytes) throw new Error('Kubo answers without end')
  }
  const body = Buffer.concat(chunks)
  // An error that comes after the headers is in a trailer.
  const late = response.trailers['x-stream-error']
  if (response.statusCode === 200 && late === undefined) return body
  const refusal = v.safeParse(refusalSchema, parseJson(body))
  throw new Error(
    `HTTP ${response.statusCode}: ${late ?? (refusal.success ? refusal.output.Message : body.toString())}`,
  )
}

const refusalSchema = v.object({ Message: v.string() })
const nameSchema = v.object({ Hash: v.string() })

function nameIn(body: Uint8Array): Cid {
  const named = v.safeParse(nameSchema, parseJson(body))
  const cid = named.success ? parseCid(named.output.Hash) : undefined
  if (cid === undefined) throw new Error('Kubo names no CID')
  return cid
}
