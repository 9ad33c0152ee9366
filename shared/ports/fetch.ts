// The way to other hosts, as a port: what is in shared/ reaches nobody that it was not given.

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>

/** The part of it that reading a bucket needs. Redirects are not followed. Rejects where no answer came. */
export type FetchObject = (url: string, init: FetchObjectInit) => Promise<FetchedObject>

export interface FetchObjectInit {
  readonly method: 'GET' | 'HEAD'
  readonly headers: Record<string, string>
  readonly signal: AbortSignal
}

/** An answer whose body must be read to its end, or discarded; less than a Response, which costs as much as the rest. */
export interface FetchedObject {
  readonly status: number
  /** @param name in lower case */
  header(name: string): string | undefined
  /** The whole body. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>
  discard(): Promise<void>
}

/** For runtimes with a fetch of their own. */
export function fetchObjectBy(fetch: (url: string, init: RequestInit) => Promise<Response>): FetchObject {
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      bytes: async () => new Uint8Array(await response.arrayBuffer()),
      stream: () => response.body ?? new Blob([]).stream(),
      discard: async () => response.body?.cancel(),
    }
  }
}
