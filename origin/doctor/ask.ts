// HTTP requests as a client makes them that follows nothing and reads a little.

import type { Wait } from '../../shared/ports/bucket.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** Of the body; no more than `mostBytes`. */
  readonly bytes: Uint8Array
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Rejects where no answer came, with an Error that names the host. */
export type Ask = (url: string, wait: Wait, question?: Question) => Promise<Reply>

/** Bytes; what we ask for is smaller, and a stranger's answer may have no end. */
const mostBytes = 256 * 1024

export function createAsk(fetch: Fetch): Ask {
  return async (text, { signal }, { method = 'GET', headers = {} } = {}) => {
    const url = new URL(text)
    let response: Response
    try {
      response = await fetch(url, { method, headers, signal, redirect: 'manual' })
    } catch (error) {
      signal.throwIfAborted()
      throw new Error(`${method} ${url.origin}${url.pathname} got no answer`, { cause: error })
    }
    return { status: response.status, headers: response.headers, bytes: await firstBytes(response) }
  }
}

async function firstBytes({ body }: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let count = 0
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part)
    count += part.byteLength
    // To leave the loop cancels the body.
    if (count > mostBytes) break
  }
  return Buffer.concat(parts).subarray(0, mostBytes)
}

/** The code of an answer in the OCI form; undefined where it is none. */
export function errorCodeOf({ bytes }: Reply): string | undefined {
  try {
    const { errors } = JSON.parse(new TextDecoder().decode(bytes)) as { errors?: { code?: string }[] }
    return errors?.[0]?.code
  } catch {
    return undefined
  }
}

/** An answer on one line, for people. */
export function summaryOf(reply: Reply): string {
  const code = errorCodeOf(reply)
  return code === undefined ? String(reply.status) : `${reply.status} ${code}`
}
