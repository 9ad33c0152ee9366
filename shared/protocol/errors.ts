// Every way a request can fail. `OciError` is a refusal: the client asked for something it cannot have. `UpstreamError`
// is a dependency (bucket, origin, accounts) that failed. Anything else that is thrown is a bug and becomes a 500.

/**
 * The codes a refusal may carry, with the status and the message that go with each by default.
 * Source: OCI distribution-spec 1.1, "Error Codes" (code-1 to code-14); the list is closed for 4xx answers.
 */
export const ociErrorCodes = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, message: 'manifest references a manifest or blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
} as const

export type OciErrorCode = keyof typeof ociErrorCodes

/** A refusal: a 4xx in the OCI error form. */
export class OciError extends Error {
  override readonly name = 'OciError'
  readonly code: OciErrorCode
  /** The code's own message, or one that fits better, for clients that show nothing else. */
  readonly summary: string
  readonly detail: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  /**
   * @param detail what was wrong with this request and what would be right; goes to the client
   * @param options.status when it is not the code's own, e.g. 413 for a manifest that is too large
   * @param options.summary when the code's own message would mislead; docker shows this and no detail
   * @param options.headers that belong to the refusal, e.g. `Allow`
   */
  constructor(
    code: OciErrorCode,
    detail: string,
    options: { status?: number; summary?: string; headers?: Record<string, string> } = {},
  ) {
    super(`${code}: ${detail}`)
    this.code = code
    this.summary = options.summary ?? ociErrorCodes[code].message
    this.detail = detail
    this.status = options.status ?? ociErrorCodes[code].status
    this.headers = options.headers ?? {}
  }
}

/** What a registry depends on and can lose. */
export type UpstreamSource = 'bucket' | 'origin' | 'cache' | 'ipfs' | 'accounts'

/** A dependency failed or did not answer in time: a 503 with Retry-After, unless it can be served around. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly source: UpstreamSource

  /** @param message for the operator's log; the client only learns the source */
  constructor(source: UpstreamSource, message: string, options?: { cause?: unknown }) {
    super(`${source}: ${message}`, options)
    this.source = source
  }
}
