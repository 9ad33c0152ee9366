// Every error code of the distribution-spec, provoked over HTTP on each face. A refusal has the OCI form, is kept by no
// cache, and changes nothing.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OciErrorCode, ociErrorCodes } from '../../shared/protocol/errors.ts'
import { stackFaces } from '../support/faces/faces.ts'
import { manifestText, ociManifestType, pushImage, startUpload, withDigest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { ociCode } from '../support/http/raw-http.ts'
import { filesIn } from '../support/registry-content.ts'
import { type Stack, startStack } from '../support/stack.ts'

interface Provocation {
  readonly status: number
  readonly method: string
  /** The URL, on a registry that has the image `codes/there:v1`; may push what it takes before. */
  readonly url: (base: string) => string | Promise<string>
  readonly headers?: Record<string, string>
  readonly body?: string
}

const there = '/v2/codes/there'
const nothing = sha256('never pushed')
const at = (path: string) => (base: string) => `${base}${path}`
const session = async (base: string) => (await startUpload(base, 'codes/there')).href

/** By the number of the code in the spec's table. A text: why it cannot arise today. */
const provocations: Record<OciErrorCode, Provocation | string> = {
  BLOB_UNKNOWN: { status: 404, method: 'GET', url: at(`${there}/blobs/${nothing}`) },
  BLOB_UPLOAD_INVALID: {
    status: 400,
    method: 'PATCH',
    url: session,
    headers: { 'Content-Range': 'from here to there' },
    body: 'x',
  },
  BLOB_UPLOAD_UNKNOWN: {
    status: 404,
    method: 'PATCH',
    url: at(`${there}/blobs/uploads/00000000-0000-4000-8000-000000000000-0123456789abcdef`),
    body: 'x',
  },
  DIGEST_INVALID: {
    status: 400,
    method: 'PUT',
    url: async (base) => withDigest(await startUpload(base, 'codes/there'), nothing).href,
    body: 'other bytes',
  },
  MANIFEST_BLOB_UNKNOWN: {
    status: 404,
    method: 'PUT',
    url: at(`${there}/manifests/v2`),
    headers: { 'Content-Type': ociManifestType },
    body: manifestText('never pushed', []),
  },
  MANIFEST_INVALID: { status: 400, method: 'PUT', url: at(`${there}/manifests/v2`), body: '{"schemaVersion":2}' },
  MANIFEST_UNKNOWN: { status: 404, method: 'GET', url: at(`${there}/manifests/v2`) },
  NAME_INVALID: { status: 400, method: 'GET', url: at('/v2/Codes/There/manifests/v1') },
  NAME_UNKNOWN: { status: 404, method: 'GET', url: at('/v2/codes/nowhere/tags/list') },
  SIZE_INVALID: { status: 400, method: 'PATCH', url: session, headers: { 'Content-Range': '0-99' }, body: 'too short' },
  UNAUTHORIZED: 'there are no users and no tokens yet: nobody is asked who they are',
  DENIED: { status: 403, method: 'POST', url: at(`/v2/${'a'.repeat(64)}/blobs/uploads/`) },
  UNSUPPORTED: { status: 405, method: 'POST', url: at(`${there}/tags/list`) },
  TOOMANYREQUESTS: 'clients on this machine have no limit unless it is set; see test/pitfalls/forwarded.test.ts',
}

const provoked = Object.entries(provocations).flatMap(([code, provocation]) =>
  typeof provocation === 'string' ? [] : [{ code, ...provocation }],
)

test('the codes are those of the spec’s table, code-1 to code-14, and all but two are provoked', () => {
  const codes =
    'BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID ' +
    'MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS'
  expect(Object.keys(ociErrorCodes)).toEqual(codes.split(' '))
  const notYet = codes.split(' ').filter((code) => !provoked.some((each) => each.code === code))
  expect(notYet).toEqual(['UNAUTHORIZED', 'TOOMANYREQUESTS'])
})

describe.each(stackFaces)('at %s', (_, runtime, face) => {
  let stack: Stack
  const stored = () => filesIn(join(stack.dataFolder, 'bucket'))

  beforeAll(async () => {
    stack = await startStack(runtime)
    await pushImage(stack.originUrl, 'codes/there', 'v1', 'codes')
  })

  afterAll(() => stack.stop())

  test.each(provoked)('$method is refused $status $code', async ({ code, status, method, url, headers = {}, body }) => {
    const target = await url(face(stack))
    const before = await stored()
    const init: RequestInit = { method, headers, ...(body === undefined ? {} : { body }) }
    const response = await fetch(target, init)
    const answer = { status: response.status, headers: response.headers, body: await response.text() }
    expect([answer.status, ociCode(answer)]).toEqual([status, code])
    expect(answer.headers.get('Content-Length')).toBe(String(answer.body.length))
    expect(answer.headers.get('Docker-Distribution-API-Version')).toBe('registry/2.0')
    expect(answer.headers.get('X-Request-Id')).toBeTruthy()
    expect(await stored()).toEqual(before)
  })

  const reads = provoked.filter(({ method }) => method === 'GET')
  test.each(reads)('HEAD is refused $status as GET is with $code, without the body', async ({ status, url }) => {
    const response = await fetch(await url(face(stack)), { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([status, ''])
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(Number(response.headers.get('Content-Length'))).toBeGreaterThan(0)
  })
})
