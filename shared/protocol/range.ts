// Byte ranges: the `Range` of a download and the `Content-Range` of an uploaded chunk.

/** Offsets of the first and the last byte; both belong to the range. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export function rangeLength(range: ByteRange): number {
  return range.end - range.start + 1
}

/**
 * What a `Range` header asks of a representation of `sizeBytes`: one range, `'unsatisfiable'` (416), or undefined for the
 * whole of it. Several ranges, another unit or a malformed header mean the whole, as RFC 9110 section 14.2 allows: a
 * client that asked so gets a 200 it understands, rather than a 416 or a multipart it may not.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*$/i.exec(header ?? '')
  if (!match) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const suffixLength = Number(last)
    if (suffixLength === 0) return 'unsatisfiable'
    if (sizeBytes === 0) return undefined
    return { start: Math.max(0, sizeBytes - suffixLength), end: sizeBytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= sizeBytes) return 'unsatisfiable'
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) }
}

/**
 * The `Content-Range` of a chunk, `<start>-<end>`, both inclusive (OCI distribution-spec, "Pushing a blob in chunks").
 * The HTTP form `bytes <start>-<end>/<size>` is understood too, as some clients send it. Undefined where malformed.
 */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^[ \t]*(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(\d{1,15}|\*))?[ \t]*$/.exec(header)
  if (!match) return undefined
  const range = { start: Number(match[1]), end: Number(match[2]) }
  const sizeBytes = match[3] === undefined || match[3] === '*' ? Infinity : Number(match[3])
  return range.end >= range.start && range.end < sizeBytes ? range : undefined
}
