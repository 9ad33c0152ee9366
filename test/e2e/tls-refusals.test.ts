// What is refused of TLS: configurations that cannot be meant, and an origin with another certificate.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority, type IssuedCertificate } from '../support/http/certificates.ts'
import { anyPorts, startPart, temporaryFolder } from '../support/stack.ts'
import { connectTls, statusOn, tlsOptions } from '../support/http/tls.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let authority: Authority

beforeAll(async () => {
  folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  return folder.remove
})

describe('what refuses to start', () => {
  let certificate: IssuedCertificate
  let other: IssuedCertificate

  beforeAll(async () => {
    certificate = await authority.issue()
    other = await authority.issue()
  })

  const start = (options: Record<string, string>, verb: 'origin' | 'edge' | 'up' = 'origin') =>
    startPart(verb, { 'data-dir': join(folder.path, 'refused'), ...anyPorts, ...options })

  test('a certificate without a key, and a key without a certificate', async () => {
    const { certFile, keyFile } = certificate
    for (const verb of ['origin', 'edge', 'up'] as const) {
      await expect(start({ 'http-tls-cert': certFile }, verb)).rejects.toThrow('http.tls_key: must be set')
      await expect(start({ 'http-tls-key': keyFile }, verb)).rejects.toThrow('http.tls_cert: must be set')
    }
  })

  test('two files that do not belong together', async () => {
    const pair = { 'http-tls-cert': certificate.certFile, 'http-tls-key': other.keyFile }
    await expect(start(pair)).rejects.toThrow(/http\.tls_key: .* is not the key of the certificate in/)
  })

  test('a file that is not there, or is something else', async () => {
    const { certFile, keyFile } = certificate
    const none = join(folder.path, 'none.pem')
    await expect(start({ 'http-tls-cert': none, 'http-tls-key': keyFile })).rejects.toThrow(
      `http.tls_cert: ${none} cannot be read`,
    )
    await expect(start({ 'http-tls-cert': keyFile, 'http-tls-key': keyFile })).rejects.toThrow(
      'holds no certificate in PEM',
    )
    await expect(start({ 'http-tls-cert': certFile, 'http-tls-key': certFile })).rejects.toThrow('holds no key in PEM')
  })

  test('an edge in workerd, which says what to do instead', async () => {
    await expect(start({ ...tlsOptions(certificate), edge: 'workerd' }, 'edge')).rejects.toThrow(
      /http\.tls_cert: an edge in workerd speaks no TLS itself; .*proxy/,
    )
  })
})

describe('an edge whose origin has no address of its own in the configuration', () => {
  test('talks to nobody there who shows another certificate, though the same authority signed it', async () => {
    const [own, other] = [await authority.issue(), await authority.issue()]
    const asked: string[] = []
    const impostor = createTlsServer({ cert: other.cert, key: await readFile(other.keyFile) }, (request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(202).end()
    }).listen(0, '127.0.0.1')
    await once(impostor, 'listening')
    const { port } = impostor.address() as AddressInfo
    const edge = await startPart('edge', {
      'data-dir': join(folder.path, 'edge-data'),
      ...anyPorts,
      ...tlsOptions(own),
      'origin-listen': `127.0.0.1:${port}`,
      'bucket-url': 'http://127.0.0.1:9/mirrorball',
    })
    const socket = await connectTls(edge.url)
    expect(await statusOn(socket, '/v2/a/b/blobs/uploads/', 'POST')).toBe(503)
    expect(asked).toEqual([])
    socket.destroy()
    await edge.stop()
    impostor.close()
  })
})
