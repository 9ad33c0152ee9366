// Reads a request body that has to be held whole.

import { OciError } from '../protocol/errors.ts'

/**
 * The body's bytes. We count ourselves: a Content-Length is a promise, and a chunked body has none.
 * @throws OciError SIZE_INVALID (413) once more than `limitBytes` arrived; no more than that was ever held
 */
export async function readBody(request: Request, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const refusal = () => new OciError('SIZE_INVALID', `the body may have at most ${limitBytes} bytes`, { status: 413 })
  if (Number(request.headers.get('Content-Length') ?? 0) > limitBytes) throw refusal()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > limitBytes) throw refusal()
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(sizeBytes)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
