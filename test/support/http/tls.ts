// Connections over TLS as a client has them that looks at the certificate itself.

import { once } from 'node:events'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { type IssuedCertificate } from './certificates.ts'

/** Of the command line. */
export const tlsOptions = ({ certFile, keyFile }: IssuedCertificate) => ({
  'http-tls-cert': certFile,
  'http-tls-key': keyFile,
})

export const serialOf = ({ cert }: IssuedCertificate) => new X509Certificate(cert).serialNumber

/** A connection whose certificate nobody has judged. */
export async function connectTls(url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}

/** Of the certificate that a server shows. */
export async function shownSerial(url: string): Promise<string> {
  const socket = await connectTls(url)
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

/** Status of a request on a connection that stays open. */
export async function statusOn(socket: TLSSocket, path: string, method: 'GET' | 'POST' = 'GET'): Promise<number> {
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(data.toString('latin1'))?.[1])
}
