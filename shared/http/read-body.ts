// Reads a request body that has to be held whole.

import { OciError } from '../protocol/errors.ts'

/**
 * The body's bytes. We count ourselves: a Content-Length is a promise, and a chunked body has none.
 *
 * What is up to twice too long is read to its end all the same: who still sends when the answer comes, and the connection
 * ends, may never see it; least of all behind a proxy or an edge.
 * @throws OciError SIZE_INVALID (413) where it has more than `limitBytes`; no more than that was ever held
 */
export async function readBody(request: Request, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const refusal = () => new OciError('SIZE_INVALID', `the body may have at most ${limitBytes} bytes`, { status: 413 })
  const readBytes = 2 * limitBytes
  if (Number(request.headers.get('Content-Length') ?? 0) > readBytes) throw refusal()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > readBytes) throw refusal()
    if (sizeBytes > limitBytes) chunks.length = 0
    else chunks.push(chunk)
  }
  if (sizeBytes > limitBytes) throw refusal()
  const bytes = new Uint8Array(sizeBytes)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
