// Looks into a bucket over HTTP follow one another over the same connections: opening one, with TLS, costs more than the look.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { createPooledFetch } from '../../origin/http/pooled-fetch.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { createHttpBucket } from '../../shared/edge/http-bucket.ts'
import { createSignedLinks } from '../../shared/edge/signed-links.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { Key } from '../../shared/layout/keys.ts'

const wait = { signal: new AbortController().signal }
const signing = { region: 'auto', accessKeyId: 'test', secretAccessKey: 'a secret of the test' }

/** Has a bucket `images` with one object, of five bytes. */
let server: Server
let connections: number

beforeEach(async () => {
  connections = 0
  server = createServer(({ method, url }, answer) => {
    const isHere = /^\/images(?:\/here)?(?:\?|$)/.test(url ?? '')
    answer.writeHead(isHere ? 200 : 404, { 'Content-Length': isHere ? 5 : 0 })
    answer.end(isHere && method === 'GET' ? 'bytes' : undefined)
  })
  server.on('connection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const endpoint = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const readers: readonly (readonly [string, () => BucketReader])[] = [
  [
    'an origin',
    () => {
      const access = { ...signing, endpoint: endpoint(), bucket: 'images' }
      return createS3Bucket(connectS3({ access, clock: systemClock, timeoutMs: 30_000 }))
    },
  ],
  [
    'an edge on Node',
    () =>
      createHttpBucket({
        links: createSignedLinks({ ...signing, url: `${endpoint()}/images` }, systemClock),
        fetch: createPooledFetch(),
      }),
  ],
]

test.each(readers)('%s looks again and again over the same connections', async (_, make) => {
  const bucket = make()
  for (let look = 0; look < 5; look++) {
    expect(await bucket.head('here' as Key, wait)).toBe(5)
    expect(await bucket.head('not-here' as Key, wait)).toBe(undefined)
    expect(await bucket.read('here' as Key, 5, wait)).toHaveLength(5)
  }
  // undici takes another for a request that comes while the one before is just ending.
  expect(connections).toBeLessThanOrEqual(2)
})
