// Who sent a request, and by which address of ours, as a port: only the runtime knows whose connection it was, and which
// proxies between may be believed.

export interface ClientInfo {
  /** Of the client, in its canonical form; undefined where the runtime does not know. */
  readonly address: string | undefined
  /** Which the client spoke, perhaps to a proxy. */
  readonly scheme: 'http' | 'https'
  /** Which the client asked for, with the port where it named one; as the client wrote it, so it may be any. */
  readonly host: string
}

/** What a runtime passes to `app.fetch(request, bindings)`. */
export interface ClientBindings {
  readonly client?: ClientInfo
  /** Whether it was an edge that asked, as it says itself, and one that is known. */
  readonly edge?: 'known' | 'unknown' | undefined
}
