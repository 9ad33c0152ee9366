// `mirrorball doctor` finds no fault with a deployment that is well.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { miniflareS3, s3Settings } from '../support/bucket/s3-servers.ts'
import { addressesOf, examine } from '../support/doctor.ts'
import { type Authority, createAuthority } from '../support/http/certificates.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'
import { runVerb } from '../support/verbs.ts'

let authority: Authority

beforeAll(async () => {
  const folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  process.env['NODE_EXTRA_CA_CERTS'] = authority.caFile
  return folder.remove
})

describe('a deployment that is well', () => {
  describe.each(['node', 'workerd'] as const)('on a folder, with the edge on %s,', (runtime) => {
    let stack: Stack

    beforeAll(async () => {
      stack = await startStack(runtime)
    })
    afterAll(() => stack.stop())

    test('has no fault, and nothing is left in its bucket', async () => {
      const { code, faults, named, stderr } = await examine(stack.dataFolder, addressesOf(stack))

      expect(faults).toEqual([])
      expect([code, stderr]).toEqual([0, ''])
      expect(named('skipped')).toEqual(['bucket-conditions', 'token-keys', 'public-uploads'])
      const files = await readdir(join(stack.dataFolder, 'bucket'), { recursive: true, withFileTypes: true })
      const left = files.filter((each) => each.isFile()).map(({ name }) => name)
      expect(left.toSorted()).toEqual(['access.json', 'format'])
    })

    test('is told so in words', async () => {
      const options = Object.entries(addressesOf(stack)).flatMap(([name, value]) => [`--${name}`, value])
      const { code, stdout } = await runVerb(stack.dataFolder, 'doctor', ...options)
      expect(code).toBe(0)
      expect(stdout).toMatch(/^ok +redirect +the blob came whole$/m)
      expect(stdout).toMatch(/^24 checks: 21 ok, no faults, 3 skipped$/m)
    })
  })

  test('on S3, with the edge in workerd', async () => {
    const server = await miniflareS3.start()
    const stack = await startStack('workerd', undefined, s3Settings(server.access))
    const { faults, named } = await examine(stack.dataFolder, { ...addressesOf(stack), ...s3Settings(server.access) })
    await stack.stop()
    await server.stop()
    expect(faults).toEqual([])
    expect(named('skipped')).toEqual(['token-keys', 'public-uploads'])
  })

  test('where everybody signs in', async () => {
    const closed = { 'access-anonymous': 'none', 'access-users': 'push' }
    const stack = await startStack('node', undefined, closed)
    const { faults, named } = await examine(stack.dataFolder, { ...addressesOf(stack), ...closed })
    await stack.stop()
    expect(faults).toEqual([])
    expect(named('skipped')).toEqual(['bucket-conditions', 'public-uploads'])
  })

  test('whose accounts are in the bucket, looked at from a machine that has nothing else', async () => {
    const server = await miniflareS3.start()
    const elsewhere = await temporaryFolder()
    const settings = { ...s3Settings(server.access), 'access-anonymous': 'none', 'access-users': 'push' }
    const sealed = { ...settings, 'origin-key': 'a-secret-of-all-origins-of-this-test' }
    const stack = await startStack('node', undefined, sealed)
    const known = await examine(elsewhere.path, { ...addressesOf(stack), ...sealed })
    const unknown = await examine(elsewhere.path, { ...addressesOf(stack), ...settings })
    await stack.stop()
    await server.stop()
    await elsewhere.remove()
    expect([known.faults, known.named('skipped')]).toEqual([[], ['public-uploads']])
    expect([unknown.faults, unknown.named('skipped')]).toMatchObject([[], expect.arrayContaining(['token-keys'])])
  })

  test('is looked at from another machine too, where no keys are made for it', async () => {
    const users = { 'access-anonymous': 'pull', 'access-users': 'push' }
    const stack = await startStack('node', undefined, users)
    const elsewhere = await temporaryFolder()
    const folder = { 'bucket-folder': join(stack.dataFolder, 'bucket') }
    const { faults, outcomes } = await examine(elsewhere.path, { ...addressesOf(stack), ...users, ...folder })
    const made = await readdir(elsewhere.path)
    await stack.stop()
    await elsewhere.remove()
    expect(faults).toEqual([])
    expect(made).toEqual([])
    const why = expect.stringContaining('run this where the data folder of the origin is') as string
    expect(outcomes).toContainEqual({ check: 'token-keys', state: 'skipped', why })
  })

  test('and takes no writes is not written to', async () => {
    const stack = await startStack('node')
    const { faults, named } = await examine(stack.dataFolder, { ...addressesOf(stack), 'access-read-only': 'true' })
    await stack.stop()
    expect(faults).toEqual([])
    expect(named('skipped')).toContain('bucket-write')
    expect(named('ok')).toContain('bucket-closed')
  })

  test('with TLS of its own, whose certificate does not name where it listens', async () => {
    const { certFile, keyFile } = await authority.issue('DNS:registry.example.com', 60)
    const tls = { 'http-tls-cert': certFile, 'http-tls-key': keyFile }
    const stack = await startStack('node', undefined, tls)
    const listen = (url: string) => new URL(url).host
    const own = { 'edge-listen': listen(stack.edgeUrl), 'origin-listen': listen(stack.originUrl) }
    const { faults, outcomes } = await examine(stack.dataFolder, { ...own, 'bucket-url': stack.bucketUrl, ...tls })
    await stack.stop()
    expect(faults).toEqual([])
    expect(outcomes).toContainEqual(expect.objectContaining({ check: 'edge-origin', state: 'ok' }))
  })
})
