// TLS at origin and edge: real clients with an authority of the test, certificates that change while it runs, and what
// is refused.

import { once } from 'node:events'
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect as connectPlain } from 'node:net'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority, type IssuedCertificate } from '../support/certificates.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { layoutDigest, readImage } from '../support/oci-layout.ts'
import {
  anyPorts,
  eventually,
  type Part,
  type Stack,
  startPart,
  startStack,
  temporaryFolder,
} from '../support/stack.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let authority: Authority
let issued = 0

beforeAll(async () => {
  folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  return folder.remove
})

const issue = () => authority.issue(join(folder.path, `certificate-${(issued += 1)}`))
const tlsOptions = ({ certFile, keyFile }: IssuedCertificate) => ({
  'http-tls-cert': certFile,
  'http-tls-key': keyFile,
})
const serialOf = ({ cert }: IssuedCertificate) => new X509Certificate(cert).serialNumber

/** A connection whose certificate nobody has judged. */
async function connectTls(url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}

async function shownSerial(url: string): Promise<string> {
  const socket = await connectTls(url)
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

/** Status of a request on a connection that stays open. */
async function statusOn(socket: TLSSocket, path: string): Promise<number> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(data.toString('latin1'))?.[1])
}

describe('origin and edge with a certificate', () => {
  let stack: Stack
  let certificate: IssuedCertificate
  let image: TestImage
  /** By the name that the certificate has. */
  const named = (url: string, name: string) => `${new URL(url).host.replace('127.0.0.1', 'localhost')}/${name}`

  beforeAll(async () => {
    certificate = await issue()
    stack = await startStack('node', undefined, tlsOptions(certificate))
    image = await makeImage(join(folder.path, 'image'), 'tls', [3 * 1024 * 1024, 10])
    return () => stack.stop()
  })

  test('say https where they say their address, and the bucket does not', () => {
    expect(stack.originUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(stack.edgeUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(stack.bucketUrl).toMatch(/^http:\/\//)
  })

  describeWith(['skopeo'], 'and skopeo', () => {
    const copy = (...args: readonly string[]) =>
      runClient('skopeo', ['--insecure-policy', 'copy', '--preserve-digests', ...args])
    let certificates: string

    beforeAll(async () => {
      certificates = join(folder.path, 'trusted')
      await mkdir(certificates)
      await copyFile(authority.caFile, join(certificates, 'ca.crt'))
    })

    test.each(['origin', 'edge'] as const)('take a push at the %s, and it is pulled at both', async (part) => {
      const name = `tls/by-${part}:v1`
      const to = named(part === 'origin' ? stack.originUrl : stack.edgeUrl, name)
      await copy(`--dest-cert-dir=${certificates}`, `oci:${image.folder}:latest`, `docker://${to}`)
      for (const url of [stack.originUrl, stack.edgeUrl]) {
        const layout = join(folder.path, `pulled-${new URL(url).port}-by-${part}`)
        await copy(`--src-cert-dir=${certificates}`, `docker://${named(url, name)}`, `oci:${layout}:latest`)
        const pulled = await readImage(layout, await layoutDigest(layout))
        expect(pulled.manifestDigest).toBe(image.manifest.digest)
      }
    })

    test('are not believed without the authority', async () => {
      const to = named(stack.originUrl, 'tls/unknown:v1')
      await expect(copy(`oci:${image.folder}:latest`, `docker://${to}`)).rejects.toThrow(/certificate/)
    })
  })

  describeWith(['crane'], 'and crane', () => {
    test('push and pull', async () => {
      const environment = { SSL_CERT_FILE: authority.caFile, HOME: folder.path }
      await runClient('crane', ['push', image.folder, named(stack.originUrl, 'tls/crane:v1')], environment)
      const digest = await runClient('crane', ['digest', named(stack.edgeUrl, 'tls/crane:v1')], environment)
      expect(digest.trim()).toBe(image.manifest.digest)
    })
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('speak %s', async (version) => {
    for (const url of [stack.originUrl, stack.edgeUrl]) {
      const socket = await connectTls(url, { minVersion: version, maxVersion: version })
      expect(socket.getProtocol()).toBe(version)
      socket.destroy()
    }
  })

  test.each(['TLSv1', 'TLSv1.1'] as const)('refuse %s', async (version) => {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const
    for (const url of [stack.originUrl, stack.edgeUrl])
      await expect(connectTls(url, old)).rejects.toThrow(/alert protocol version/)
  })

  test('speak HTTP/1.1 where a client would like HTTP/2 better, and nothing with one that speaks only that', async () => {
    const socket = await connectTls(stack.originUrl, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect(socket.alpnProtocol).toBe('http/1.1')
    socket.destroy()
    await expect(connectTls(stack.originUrl, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/)
  })

  test('answer no plain HTTP', async () => {
    await expect(fetch(stack.originUrl.replace('https', 'http'))).rejects.toThrow('fetch failed')
  })
})

describe('a certificate that is renewed', () => {
  let first: IssuedCertificate
  let second: IssuedCertificate
  const reloads = (part: Part) => part.log.filter(({ msg }) => msg === 'certificate').map(({ serial }) => serial)

  beforeAll(async () => {
    first = await issue()
    second = await issue()
  })

  /** A folder with a copy of it, as a certificate manager would have it. */
  async function installed({ certFile, keyFile }: IssuedCertificate, name: string) {
    const path = join(folder.path, name)
    await mkdir(path)
    await copyFile(certFile, join(path, 'cert.pem'))
    await copyFile(keyFile, join(path, 'key.pem'))
    return { path, certFile: join(path, 'cert.pem'), keyFile: join(path, 'key.pem') }
  }

  async function replace(file: string, by: string): Promise<void> {
    await copyFile(by, `${file}.new`)
    await rename(`${file}.new`, file)
  }

  const start = (files: { certFile: string; keyFile: string }) =>
    startPart('origin', {
      'data-dir': join(folder.path, 'data'),
      ...anyPorts,
      'http-tls-cert': files.certFile,
      'http-tls-key': files.keyFile,
    })

  test('file by file: new connections have the new one, never half of it, and old ones go on', async () => {
    const files = await installed(first, 'renewed-by-file')
    const origin = await start(files)
    const old = await connectTls(origin.url)
    expect(old.getPeerCertificate().serialNumber).toBe(serialOf(first))
    await replace(files.certFile, second.certFile)
    const refused = () =>
      origin.log.find(({ level, msg }) => level === 'error' && msg?.toString().includes('certificate'))
    await eventually('the pair that does not fit is logged', () => refused() !== undefined)
    expect(JSON.stringify(refused())).toContain('is not the key of the certificate')
    expect(await shownSerial(origin.url)).toBe(serialOf(first))
    await replace(files.keyFile, second.keyFile)
    await eventually('the new one is shown', async () => (await shownSerial(origin.url)) === serialOf(second))
    expect(await statusOn(old, '/v2/')).toBe(200)
    old.destroy()
    expect(reloads(origin)).toEqual([serialOf(first), serialOf(second)])
    expect(await origin.stop()).toBe(0)
  })

  test('by another target of a link to their folder', async () => {
    const link = join(folder.path, 'live')
    await installed(first, 'live-1')
    await installed(second, 'live-2')
    await symlink('live-1', link)
    const origin = await start({ certFile: join(link, 'cert.pem'), keyFile: join(link, 'key.pem') })
    await symlink('live-2', `${link}.new`)
    await rename(`${link}.new`, link)
    await eventually('the new one is shown', async () => (await shownSerial(origin.url)) === serialOf(second))
    expect(origin.log.filter(({ level }) => level === 'error')).toEqual([])
    await origin.stop()
  })

  test('files that are gone, or are no certificate, leave the old one in use', async () => {
    const files = await installed(first, 'broken')
    const origin = await start(files)
    const failures = () => origin.log.filter(({ level }) => level === 'error')
    await rename(files.keyFile, `${files.keyFile}.away`)
    await eventually('the missing key is logged', () => failures().length === 1)
    await writeFile(files.certFile, 'no certificate')
    await rename(`${files.keyFile}.away`, files.keyFile)
    await eventually('the damaged certificate is logged', () => failures().length > 1)
    expect(await shownSerial(origin.url)).toBe(serialOf(first))
    await origin.stop()
  })

  test('is taken by origin and edge of one supervisor that gets SIGHUP, and the edge still reaches the origin', async () => {
    const files = await installed(first, 'all')
    const stack = await startStack('node', undefined, tlsOptions({ ...files, cert: '' }))
    await replace(files.certFile, second.certFile)
    await replace(files.keyFile, second.keyFile)
    stack.up.child.kill('SIGHUP')
    for (const url of [stack.originUrl, stack.edgeUrl])
      await eventually('the new one is shown', async () => (await shownSerial(url)) === serialOf(second))
    const socket = await connectTls(stack.edgeUrl)
    socket.write('POST /v2/a/b/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 202 /)
    socket.destroy()
    await stack.stop()
  })
})

describe('an edge whose origin has no address of its own in the configuration', () => {
  test('talks to nobody there who shows another certificate, though the same authority signed it', async () => {
    const [own, other] = [await issue(), await issue()]
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
    socket.write('POST /v2/a/b/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 503 /)
    expect(asked).toEqual([])
    socket.destroy()
    await edge.stop()
    impostor.close()
  })
})

describe('with TLS', () => {
  let origin: Part
  let data: Awaited<ReturnType<typeof temporaryFolder>>

  beforeAll(async () => {
    data = await temporaryFolder()
    origin = await startPart('origin', {
      'data-dir': data.path,
      ...anyPorts,
      'origin-metrics-listen': '127.0.0.1:0',
      ...tlsOptions(await issue()),
    })
  })

  afterAll(() => data.remove())

  test('bytes on the wire are counted, and the metrics stay on plain HTTP', async () => {
    const ready = () => origin.log.find(({ msg }) => msg === 'ready')
    await eventually('the address is logged', () => ready() !== undefined)
    const metrics = String(ready()?.['metrics'])
    expect(metrics).toMatch(/^http:/)
    const sent = async () =>
      Number(/^mirrorball_http_sent_bytes_total (\d+)/m.exec(await (await fetch(metrics)).text())?.[1])
    const before = await sent()
    const socket = await connectTls(origin.url)
    await statusOn(socket, '/v2/')
    expect(await sent()).toBeGreaterThan(before + 1000)
    socket.destroy()
  })

  test('a connection that never comes to its handshake does not hold up the end', async () => {
    const { hostname, port } = new URL(origin.url)
    const silent = connectPlain(Number(port), hostname)
    await once(silent, 'connect')
    // The process has taken the silent connection once it has taken a later one.
    await shownSerial(origin.url)
    let ended: number | null | undefined
    void origin.stop().then((code) => (ended = code))
    // Less than a handshake may take, or requests in flight.
    await eventually('it ends', () => ended !== undefined, 20_000)
    expect(ended).toBe(0)
    silent.destroy()
  })
})

describe('what refuses to start', () => {
  let certificate: IssuedCertificate
  let other: IssuedCertificate

  beforeAll(async () => {
    certificate = await issue()
    other = await issue()
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
