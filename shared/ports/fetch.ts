// The way to other hosts, as a port: what is in shared/ reaches nobody that it was not given.

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>

/** The part of it that reading needs. Redirects are not followed. */
export type FetchObject = (url: string, init: FetchObjectInit) => Promise<Response>

export interface FetchObjectInit {
  readonly method: 'GET' | 'HEAD'
  readonly headers: Record<string, string>
  readonly signal: AbortSignal
  readonly redirect: 'manual'
}
