// TLS at origin and edge: real clients with an authority of the test, what is spoken, and what is counted.

import { once } from 'node:events'
import { copyFile, mkdir } from 'node:fs/promises'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority, type IssuedCertificate } from '../support/http/certificates.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { layoutDigest, readImage } from '../support/clients/oci-layout.ts'
import {
  anyPorts,
  eventually,
  type Part,
  type Stack,
  startPart,
  startStack,
  temporaryFolder,
} from '../support/stack.ts'
import { connectTls, shownSerial, statusOn, tlsOptions } from '../support/http/tls.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let authority: Authority

beforeAll(async () => {
  folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  return folder.remove
})

describe('origin and edge with a certificate', () => {
  let stack: Stack
  let certificate: IssuedCertificate
  let image: TestImage
  /** By the name that the certificate has. */
  const named = (url: string, name: string) => `${new URL(url).host.replace('127.0.0.1', 'localhost')}/${name}`

  beforeAll(async () => {
    certificate = await authority.issue()
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

describe('with TLS', () => {
  let origin: Part
  let data: Awaited<ReturnType<typeof temporaryFolder>>

  beforeAll(async () => {
    data = await temporaryFolder()
    origin = await startPart('origin', {
      'data-dir': data.path,
      ...anyPorts,
      'origin-metrics-listen': '127.0.0.1:0',
      ...tlsOptions(await authority.issue()),
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
