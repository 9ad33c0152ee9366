// Origin and edge behind nginx, configured by the very text of docs/operations.md.

import { once } from 'node:events'
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createAuthority } from '../support/http/certificates.ts'
import { freePort } from '../support/http/free-port.ts'
import { startNginx } from '../support/clients/nginx.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { makeImage } from '../support/image.ts'
import { layoutDigest, readImage } from '../support/clients/oci-layout.ts'
import { eventually, projectFolder, type Stack, startStack, temporaryFolder } from '../support/stack.ts'

/** Far more than nginx takes, or keeps in memory, unless it is told to. */
const layerBytes = 100 * 1024 * 1024

/** The block of code between two marks of the page. */
async function recipe(mark: string): Promise<string> {
  const page = await readFile(join(projectFolder, 'docs/operations.md'), 'utf8')
  const block = new RegExp(`<!-- ${mark}:begin -->\\s+\`\`\`\\w+\\n([^]*?)\`\`\`\\s+<!-- ${mark}:end -->`).exec(
    page,
  )?.[1]
  if (block === undefined) throw new Error(`docs/operations.md has no ${mark}`)
  return block
}

/** Replaces what must be there. */
function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the recipe has no ${from}`)
  return text.replace(from, to)
}

describeWith(['nginx', 'skopeo'], 'behind nginx, by the recipe of the documentation', () => {
  let stack: Stack
  let folder: string
  let ca: string
  let certificates: string
  /** HOST:PORT as clients write it. */
  let edge: string
  let origin: string

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    const authority = await createAuthority(folder)
    const { certFile, keyFile } = await authority.issue()
    ca = await readFile(authority.caFile, 'utf8')
    certificates = join(folder, 'trusted')
    await mkdir(certificates)
    await copyFile(authority.caFile, join(certificates, 'ca.crt'))
    const file = join(folder, 'mirrorball.yaml')
    await writeFile(file, await recipe('behind-proxy'))
    // There is nobody yet who may push but everyone.
    stack = await startStack('node', join(folder, 'data'), { config: file, 'access-anonymous': 'push' })

    const [edgePort, originPort] = [await freePort(), await freePort()]
    edge = `localhost:${edgePort}`
    origin = `localhost:${originPort}`
    let http = await recipe('nginx')
    http = replaced(http, '/etc/mirrorball/tls/fullchain.pem', certFile)
    http = replaced(http, '/etc/mirrorball/tls/privkey.pem', keyFile)
    for (const [name, port] of [
      ['registry.example.com', edgePort],
      ['push.example.com', originPort],
    ] as const) {
      http = replaced(http, 'listen 443', `listen 127.0.0.1:${port}`)
      http = replaced(http, name, 'localhost')
    }
    http = replaced(http, 'http://127.0.0.1:8787', stack.edgeUrl)
    http = replaced(http, 'http://127.0.0.1:1970', stack.originUrl)
    const stopNginx = await startNginx(http, edgePort, join(folder, 'nginx'))
    return async () => {
      await stopNginx()
      await stack.stop()
      await temporary.remove()
    }
  })

  /** Sends a request from another address than the one that nginx has for Mirrorball. */
  function send(host: string, path: string, options: RequestOptions = {}) {
    const { hostname, port } = new URL(`https://${host}`)
    const sent = request({ host: hostname, port, path, ca, family: 4, localAddress: '127.0.0.2', ...options })
    const answer = once(sent, 'response').then(([response]) => response as IncomingMessage)
    return { sent, answer }
  }

  test('skopeo pushes an image with a large layer through each name, and pulls it through each', async () => {
    const image = await makeImage(join(folder, 'image'), 'nginx', [layerBytes, 10])
    const copy = (...args: readonly string[]) =>
      runClient('skopeo', ['--insecure-policy', 'copy', '--preserve-digests', ...args])
    for (const [at, to] of [origin, edge].entries()) {
      const name = `proxied/through-${at}:v1`
      await copy(`--dest-cert-dir=${certificates}`, `oci:${image.folder}:latest`, `docker://${to}/${name}`)
      for (const [from, host] of [origin, edge].entries()) {
        const layout = join(folder, `pulled-${at}-${from}`)
        await copy(`--src-cert-dir=${certificates}`, `docker://${host}/${name}`, `oci:${layout}:latest`)
        expect((await readImage(layout, await layoutDigest(layout))).manifestDigest).toBe(image.manifest.digest)
      }
    }
  })

  test.each(['edge', 'origin'] as const)('the %s knows the client, whatever that says to be', async (part) => {
    const id = `client-of-${part}`
    const headers = {
      'X-Request-Id': id,
      'X-Forwarded-For': '203.0.113.9, 127.0.0.1',
      'X-Forwarded-Host': 'evil.example',
    }
    const { sent, answer } = send(part === 'edge' ? edge : origin, '/v2/_catalog', { headers })
    sent.end()
    expect((await answer).resume().statusCode).toBe(200)
    const line = () => stack.log(part).find((each) => each['id'] === id)
    await eventually('the request is logged', () => line() !== undefined)
    expect(line()?.['client']).toBe('127.0.0.2')
  })

  test('the origin hears from the edge who the client is', async () => {
    const { sent, answer } = send(edge, '/v2/proxied/client/blobs/uploads/', {
      method: 'POST',
      headers: { 'X-Request-Id': 'client-by-edge', 'Content-Length': 0, 'X-Forwarded-For': '203.0.113.9' },
    })
    sent.end()
    expect((await answer).resume().statusCode).toBe(202)
    const lines = () => stack.up.log.filter((each) => each['id'] === 'client-by-edge')
    await eventually('both log it', () => lines().length === 2)
    expect(lines().map(({ part, client }) => [part, client])).toEqual(
      expect.arrayContaining([
        ['edge', '127.0.0.2'],
        ['origin', '127.0.0.2'],
      ]),
    )
  })

  test('an upload reaches the origin while the client still sends it, and its Location leads back here', async () => {
    for (const host of [edge, origin]) {
      const opened = send(host, '/v2/proxied/stream/blobs/uploads/', {
        method: 'POST',
        headers: { 'Content-Length': 0 },
      })
      opened.sent.end()
      const location = new URL((await opened.answer).resume().headers.location ?? '', `https://${host}/`)
      expect(location.host).toBe(host)
      const { sent, answer } = send(host, location.pathname + location.search, { method: 'PATCH' })
      const half = Buffer.alloc(2 * 1024 * 1024, 'half')
      sent.write(half)
      const staged = join(stack.dataFolder, 'bucket/mirrorball/uploads', location.pathname.split('/').at(-1) ?? '', '0')
      // The origin writes half a MiB at a time.
      await eventually('the first half is there', async () => (await stat(staged)).size > 1024 * 1024)
      sent.end(half)
      const { statusCode, headers } = (await answer).resume()
      expect([statusCode, headers['range']]).toEqual([202, `0-${2 * half.byteLength - 1}`])
    }
  })
})
