// Failures as answers: the OCI error form, the spec's closed list of codes, and nothing that a client must not learn.

import { describe, expect, test } from 'vitest'
import { toResponse } from '../../shared/http/answer.ts'
import { errorAnswer } from '../../shared/http/write-error.ts'
import { OciError, type OciErrorCode, ociErrorCodes, UpstreamError } from '../../shared/protocol/errors.ts'

/** OCI distribution-spec 1.1, "Error Codes", code-1 to code-14, with the status that its endpoints ask for. */
const specCodes: readonly (readonly [OciErrorCode, number])[] = [
  ['BLOB_UNKNOWN', 404],
  ['BLOB_UPLOAD_INVALID', 400],
  ['BLOB_UPLOAD_UNKNOWN', 404],
  ['DIGEST_INVALID', 400],
  ['MANIFEST_BLOB_UNKNOWN', 404],
  ['MANIFEST_INVALID', 400],
  ['MANIFEST_UNKNOWN', 404],
  ['NAME_INVALID', 400],
  ['NAME_UNKNOWN', 404],
  ['SIZE_INVALID', 400],
  ['UNAUTHORIZED', 401],
  ['DENIED', 403],
  ['UNSUPPORTED', 405],
  ['TOOMANYREQUESTS', 429],
]

interface ErrorBody {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly detail: string }[]
}

const secret = '/srv/data/accounts/key.json ECONNREFUSED 10.0.0.7'
const failures = [
  ...specCodes.map(([code, status]) => ({
    what: code,
    error: new OciError(code, 'what was wrong') as unknown,
    status,
    code,
  })),
  { what: 'a bucket that failed', error: new UpstreamError('bucket', secret), status: 503, code: 'UNAVAILABLE' },
  { what: 'an origin that failed', error: new UpstreamError('origin', secret), status: 503, code: 'UNAVAILABLE' },
  { what: 'a bug', error: new TypeError(secret), status: 500, code: 'UNKNOWN' },
  { what: 'something thrown that is no error', error: secret, status: 500, code: 'UNKNOWN' },
  { what: 'nothing thrown', error: undefined, status: 500, code: 'UNKNOWN' },
]

test('the codes of refusals are exactly the fourteen of the spec, each with its status', () => {
  const ours = Object.entries(ociErrorCodes).map(([code, { status }]) => [code, status])
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(specCodes))
  expect(ours).toHaveLength(14)
})

describe.each(failures)('the answer to $what', ({ error, status, code }) => {
  test('has its status and one error in the OCI form', async () => {
    const response = toResponse(errorAnswer(error, 'GET'))
    expect(response.status).toBe(status)
    const { errors } = (await response.json()) as ErrorBody
    expect(errors).toEqual([{ code, message: expect.stringMatching(/\w/), detail: expect.stringMatching(/\w/) }])
    expect(errors[0]?.code).toMatch(/^[A-Z_]+$/)
  })

  test('is JSON without a charset, of the length it says, and kept by no cache', async () => {
    const response = toResponse(errorAnswer(error, 'GET'))
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('Content-Length')).toBe(String((await response.arrayBuffer()).byteLength))
  })

  test('to HEAD has no body but the same status and headers', () => {
    const [get, head] = [toResponse(errorAnswer(error, 'GET')), toResponse(errorAnswer(error, 'HEAD'))]
    expect(head.body).toBeNull()
    expect(head.status).toBe(get.status)
    expect([...head.headers]).toEqual([...get.headers])
  })

  test('asks to try again later exactly where a dependency failed', () => {
    expect(toResponse(errorAnswer(error, 'GET')).headers.get('Retry-After')).toBe(status === 503 ? '5' : null)
  })

  test('tells nothing of the inside', async () => {
    const response = toResponse(errorAnswer(error, 'GET'))
    expect(JSON.stringify([...response.headers]) + (await response.text())).not.toContain(secret)
  })
})

test('a length counts bytes, not characters', async () => {
  const response = toResponse(errorAnswer(new OciError('NAME_INVALID', 'naïve ☃'), 'HEAD'))
  const whole = await toResponse(errorAnswer(new OciError('NAME_INVALID', 'naïve ☃'), 'GET')).text()
  expect(response.headers.get('Content-Length')).toBe(String(Buffer.byteLength(whole)))
})

test('a refusal may have its own status and headers', async () => {
  const error = new OciError('SIZE_INVALID', 'too large', { status: 413, headers: { 'X-Limit': '5' } })
  const response = toResponse(errorAnswer(error, 'PUT'))
  expect([response.status, response.headers.get('X-Limit')]).toEqual([413, '5'])
  expect(response.headers.get('Cache-Control')).toBe('no-store')
})

test('what a dependency said goes to the log: message and cause are kept', () => {
  const cause = new Error('refused')
  const error = new UpstreamError('bucket', secret, { cause })
  expect(error.message).toBe(`bucket: ${secret}`)
  expect(error.cause).toBe(cause)
})
