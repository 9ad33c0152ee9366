// Certificates that change while origin and edge run.

import { copyFile, mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority, type IssuedCertificate } from '../support/http/certificates.ts'
import { anyPorts, eventually, type Part, startPart, startStack, temporaryFolder } from '../support/stack.ts'
import { connectTls, serialOf, shownSerial, statusOn, tlsOptions } from '../support/http/tls.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let authority: Authority

beforeAll(async () => {
  folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  return folder.remove
})

describe('a certificate that is renewed', () => {
  let first: IssuedCertificate
  let second: IssuedCertificate
  const reloads = (part: Part) => part.log.filter(({ msg }) => msg === 'certificate').map(({ serial }) => serial)

  beforeAll(async () => {
    first = await authority.issue()
    second = await authority.issue()
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
    expect(await statusOn(socket, '/v2/a/b/blobs/uploads/', 'POST')).toBe(202)
    socket.destroy()
    await stack.stop()
  })
})
