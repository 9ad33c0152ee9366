// Servers that speak S3, and not quite: what an operator may have in front of Mirrorball without knowing.

import type { S3Fault } from './s3-proxy.ts'

/** Writes whatever the condition says. */
export const ignoresConditions: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  if (status === 412) outgoing.writeHead(200, { ETag: '"replaced"' }).end()
  else outgoing.writeHead(status, headers).end(body)
}

/** Sends what was asked for as if it were all there is. */
export const ignoresRange: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  const { 'content-range': _, ...rest } = headers
  outgoing.writeHead(status === 206 ? 200 : status, rest).end(body)
}

/** Refuses nobody. */
export const isPublic: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  if (status < 400 || status === 404) outgoing.writeHead(status, headers).end(body)
  else outgoing.writeHead(200).end('something that is nobody’s business')
}

/** Has another time. */
export const isTenMinutesAhead: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  outgoing.writeHead(status, { ...headers, date: new Date(Date.now() + 600_000).toUTCString() }).end(body)
}

/** Gives something else in place of an object, to who may have it. */
export const holds =
  (content: string): S3Fault =>
  async (outgoing, pass) => {
    const { status, headers, body } = await pass()
    if (status === 200) outgoing.writeHead(200, { 'Content-Length': Buffer.byteLength(content) }).end(content)
    else outgoing.writeHead(status, headers).end(body)
  }

/** Answers nobody. */
export const hangsUp: S3Fault = (outgoing) => {
  outgoing.destroy()
}
