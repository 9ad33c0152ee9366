// `mirrorball doctor` tells each fault of a deployment, and that one alone, with advice.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { listPages } from '../../origin/bucket/s3-listing.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { accessKey, formatKey, originsPrefix } from '../../shared/layout/keys.ts'
import {
  hangsUp,
  holds,
  ignoresConditions,
  ignoresRange,
  isPublic,
  isTenMinutesAhead,
} from '../support/bucket/s3-faults.ts'
import { type S3Proxy, refuses, startS3Proxy } from '../support/bucket/s3-proxy.ts'
import { miniflareS3, type S3Server, s3Settings } from '../support/bucket/s3-servers.ts'
import { collect } from '../support/collect.ts'
import { examine, type Options } from '../support/doctor.ts'
import { type Authority, createAuthority } from '../support/http/certificates.ts'
import { type Front, startFront } from '../support/http/front.ts'
import {
  anyPorts,
  eventually,
  type Part,
  startPart,
  startStack,
  type Stack,
  temporaryFolder,
} from '../support/stack.ts'

let authority: Authority

beforeAll(async () => {
  const folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  process.env['NODE_EXTRA_CA_CERTS'] = authority.caFile
  return folder.remove
})

describe('a fault', () => {
  let server: S3Server
  /** The bucket as the processes reach it, and as clients do. */
  let s3: S3Proxy
  let clientsS3: S3Proxy
  let publicHost: Front
  let edgeFront: Front
  let stack: Stack
  let options: Options
  let other: Part | Front | undefined

  beforeAll(async () => {
    server = await miniflareS3.start()
    s3 = await startS3Proxy(server.access)
    clientsS3 = await startS3Proxy(server.access)
    publicHost = await startFront()
    const settings = {
      ...s3Settings(s3.access),
      'bucket-url': `${clientsS3.access.endpoint ?? ''}/${server.access.bucket}`,
      'origin-public-url': publicHost.url,
      'access-anonymous': 'pull',
      'access-users': 'push',
    }
    stack = await startStack('node', undefined, settings)
    publicHost.target = stack.originUrl
    edgeFront = await startFront(stack.edgeUrl)
    options = { ...settings, 'edge-url': edgeFront.url, 'origin-url': stack.originUrl }
  })

  afterEach(async () => {
    s3.mend()
    clientsS3.mend()
    publicHost.target = stack.originUrl
    publicHost.mostBytes = Number.POSITIVE_INFINITY
    edgeFront.skewMs = 0
    edgeFront.keepsAnswers = false
    await other?.stop()
    other = undefined
    // They remember for a second what they found.
    for (const url of [stack.edgeUrl, stack.originUrl])
      await eventually('it is ready again', async () => (await fetch(`${url}/readyz`)).ok)
  })

  afterAll(async () => {
    for (const part of [edgeFront, stack, publicHost, clientsS3, s3, server]) await part.stop()
  })

  /** An edge of the same deployment, with one thing else. */
  async function startOtherEdge(else_: Options): Promise<Options> {
    const { 'edge-url': _, 'origin-url': originUrl = '', ...settings } = options
    const shared = { ...settings, ...anyPorts, 'data-dir': stack.dataFolder, 'edge-origin-url': originUrl }
    const edge = await startPart('edge', { ...shared, ...else_ })
    other = edge
    return { 'edge-url': edge.url }
  }

  async function startTlsFront(names: string, days: number, how = {}): Promise<Options> {
    const front = await startFront(stack.edgeUrl, await authority.issue(names, days), how)
    other = front
    return { 'edge-url': front.url }
  }

  test('is none where there is none, and nothing is left in the bucket', async () => {
    const { faults, named, code } = await examine(stack.dataFolder, options)
    expect(faults).toEqual([])
    expect([code, named('skipped')]).toEqual([0, []])
    const connection = connectS3({ access: server.access, clock: systemClock, timeoutMs: 10_000 })
    const pages = await collect(listPages(connection, '', { level: 'all' }, unhurried))
    const keys = pages.flatMap(({ objects }) => objects.map(({ key }) => key))
    // The origin runs, and says so.
    expect(keys.filter((key) => !key.startsWith(originsPrefix))).toEqual([accessKey, formatKey])
  })

  test('is none where the edge speaks TLS', async () => {
    const { faults } = await examine(stack.dataFolder, { ...options, ...(await startTlsFront('DNS:localhost', 60)) })
    expect(faults).toEqual([])
  })

  /** What is wrong, the check that says so, its advice, and how to bring it about; with options that replace others. */
  const rows: readonly (readonly [string, string, RegExp, () => Options | Promise<Options> | void])[] = [
    [
      'another secret of the key',
      'bucket',
      /set bucket\.secret_access_key/,
      () => ({ 'bucket-secret-access-key': 'not-the-secret-of-this-key' }),
    ],
    [
      'a bucket that is not there',
      'bucket',
      /create the bucket at .*\/not-there, or correct the name/,
      () => ({ 'bucket-s3-url': `${s3.access.endpoint ?? ''}/not-there` }),
    ],
    [
      'a server that refuses the key since today',
      'bucket',
      /key that the server knows/,
      () => s3.fail(/./, refuses(403, 'InvalidAccessKeyId')),
    ],
    [
      'a key that may only read',
      'bucket-write',
      /the right to write/,
      () => s3.fail(/^(?:PUT|POST)/, refuses(403, 'AccessDenied')),
    ],
    [
      'a key that may not delete',
      'bucket-delete',
      /the right to delete/,
      () => s3.fail(/^DELETE/, refuses(403, 'AccessDenied')),
    ],
    [
      'a key that may not list',
      'bucket-list',
      /the right to list/,
      () => s3.fail(/^GET .*list-type=2/, refuses(403, 'AccessDenied')),
    ],
    [
      'a server that ignores If-None-Match',
      'bucket-conditions',
      /no more than one origin/,
      () => s3.fail(/^PUT/, ignoresConditions),
    ],
    ['a server that ignores Range', 'bucket-range', /honour Range/, () => s3.fail(/^GET/, ignoresRange)],
    [
      'a bucket that everybody reads',
      'bucket-closed',
      /switch off public access/,
      () => clientsS3.fail(/^GET/, isPublic),
    ],
    ['a bucket with another time', 'clock', /NTP/, () => s3.fail(/./, isTenMinutesAhead)],
    [
      'a bucket that a newer version wrote',
      'bucket-format',
      /run the version that wrote/,
      () => s3.fail(/ \/[^/]+\/mirrorball\/format/, holds('{"format":2}')),
    ],
    [
      'a cache before the bucket that heeds no signature',
      'signature',
      /no cache/,
      () => clientsS3.fail(/X-Amz-Signature=0{8}/, isPublic),
    ],
    ['a cache before the edge', 'edge-fresh', /Cache-Control/, () => void (edgeFront.keepsAnswers = true)],
    [
      'an edge with another secret of the key',
      'edge-ready',
      /a bucket that it can read/,
      () => startOtherEdge({ 'bucket-secret-access-key': 'not-the-secret-of-this-key' }),
    ],
    [
      'an edge in front of another bucket',
      'edge-blob',
      /the bucket that the origin writes/,
      () => startEdgeElsewhere(),
    ],
    ['an edge with another time', 'clock', /NTP/, () => void (edgeFront.skewMs = -600_000)],
    ['redirects that lead nowhere', 'redirect', /set bucket\.url/, () => clientsS3.fail(/./, hangsUp)],
    [
      'redirects to a server that refuses the signature',
      'redirect',
      /a key that may read the bucket/,
      () => clientsS3.fail(/^GET/, refuses(403, 'SignatureDoesNotMatch')),
    ],
    [
      'no rules in the bucket',
      'access-rules',
      /restart the origin/,
      () => s3.fail(/ \/[^/]+\/mirrorball\/access\.json/, refuses(404, 'NoSuchKey')),
    ],
    [
      'other rules in the bucket than here',
      'access-rules',
      /restart the origin with this configuration/,
      () => ({ 'access-private': 'team/**' }),
    ],
    ['keys of another service', 'token-keys', /only one service writes/, () => publishAnotherKey()],
    [
      'an edge with another key',
      'edge-key',
      /the same edge\.key/,
      () => startOtherEdge({ 'edge-key': 'a-key-that-this-origin-does-not-know' }),
    ],
    [
      'an edge that looks for its origin where there is none',
      'edge-origin',
      /set edge\.origin_url/,
      () => startOtherEdge({ 'edge-origin-url': 'http://127.0.0.1:9' }),
    ],
    [
      'an origin that is not where it should be',
      'origin-live',
      /--origin-url/,
      () => ({ 'origin-url': 'http://127.0.0.1:9' }),
    ],
    ['an edge that is not where it should be', 'edge-live', /--edge-url/, () => ({ 'edge-url': 'http://127.0.0.1:9' })],
    ['a certificate that ends in three days', 'tls', /renew the certificate/, () => startTlsFront('DNS:localhost', 3)],
    ['a certificate for another name', 'tls', /for this name/, () => startTlsFront('DNS:elsewhere.example', 60)],
    [
      'TLS of long ago',
      'tls',
      /TLS 1\.2 and 1\.3 alone/,
      () => startTlsFront('DNS:localhost', 60, { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ],
    [
      'a public host that leads elsewhere',
      'public-uploads',
      /set origin\.public_url/,
      () => void (publicHost.target = undefined),
    ],
    [
      'a public host that limits bodies',
      'public-uploads',
      /limit bodies/,
      () => void (publicHost.mostBytes = 100 * 1024 * 1024),
    ],
    [
      'a public host that the origin does not know yet',
      'public-uploads',
      /restart the origin/,
      () => ({ 'origin-public-url': 'http://127.0.0.1:9' }),
    ],
  ]

  test.each(rows)('%s is told by %s alone', async (_, check, advice, arrange) => {
    const changed = (await arrange()) ?? {}
    const { code, faults, stderr } = await examine(stack.dataFolder, { ...options, ...changed })
    expect(faults.map((each) => each.check)).toEqual([check])
    expect(faults).toEqual([expect.objectContaining({ mend: expect.stringMatching(advice) as string })])
    expect(code).toBe(1)
    expect(JSON.stringify(faults) + stderr).not.toContain(server.access.secretAccessKey)
  })

  /** Its bucket has the same rules, and nothing else. */
  function startEdgeElsewhere(): Promise<Options> {
    clientsS3.fail(/\/repositories\//, refuses(404, 'NoSuchKey'))
    return startOtherEdge({ 'bucket-s3-url': options['bucket-url'] ?? '' })
  }

  /** As if another registry wrote to the same bucket. */
  async function publishAnotherKey(): Promise<void> {
    const folder = await temporaryFolder()
    const another = await startPart('origin', {
      'data-dir': folder.path,
      ...anyPorts,
      'access-anonymous': 'pull',
      'access-users': 'push',
      'ipfs-backend': 'off',
    })
    await another.stop()
    const document = await readFile(join(folder.path, 'bucket/mirrorball/access.json'), 'utf8')
    await folder.remove()
    s3.fail(/ \/[^/]+\/mirrorball\/access\.json/, holds(document))
  }
})
