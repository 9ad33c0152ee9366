// Connections of one client to a process: so many, and no more.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anyPorts, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const most = 3
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  folder = await temporaryFolder()
})

afterAll(() => folder.remove())

const start = (options: Record<string, string>) =>
  startPart('origin', { 'data-dir': folder.path, ...anyPorts, 'http-connections-per-client': String(most), ...options })

async function open({ url }: Part, localAddress = '127.0.0.1'): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), localAddress })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Whether a request on it is answered; false where it is closed before. */
async function isAnswered(socket: Socket): Promise<boolean> {
  if (socket.closed) return false
  return new Promise((done) => {
    socket.once('data', () => done(true))
    socket.once('close', () => done(false))
    socket.write('GET /v2/ HTTP/1.1\r\nHost: registry.example\r\n\r\n')
  })
}

test('one more than there may be is closed, those before it and other clients go on, and there is one line in the log', async () => {
  const origin = await start({})
  const sockets = []
  for (let at = 0; at < most; at += 1) {
    const socket = await open(origin)
    expect(await isAnswered(socket)).toBe(true)
    sockets.push(socket)
  }
  for (let at = 0; at < 3; at += 1) expect(await isAnswered(await open(origin))).toBe(false)
  for (const socket of sockets) expect(await isAnswered(socket)).toBe(true)
  const other = await open(origin, '127.0.0.2')
  expect(await isAnswered(other)).toBe(true)
  sockets.pop()?.destroy()
  await eventually('there is room again', async () => {
    const socket = await open(origin)
    const answered = await isAnswered(socket)
    if (answered) sockets.push(socket)
    return answered
  })
  expect(origin.log.filter(({ level }) => level === 'warn')).toMatchObject([
    { msg: 'a client has too many connections', client: '127.0.0.1', most },
  ])
  for (const socket of [...sockets, other]) socket.destroy()
  await origin.stop()
})

test('a proxy that is trusted may have more', async () => {
  const origin = await start({ 'http-trusted-proxies': '127.0.0.1' })
  const sockets = []
  for (let at = 0; at < 2 * most; at += 1) {
    const socket = await open(origin)
    expect(await isAnswered(socket)).toBe(true)
    sockets.push(socket)
  }
  for (const socket of sockets) socket.destroy()
  await origin.stop()
})
