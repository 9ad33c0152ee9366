// Pitfalls of believing what a client says about itself, by their numbers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociError, pushImage } from '../support/http-client.ts'
import { eventually, type LogLine, type Stack, startStack } from '../support/stack.ts'
import { stackFaces } from '../support/faces/faces.ts'

describe.each(stackFaces)('at %s', (name, runtime, face) => {
  const part = name === 'the origin' ? 'origin' : 'edge'
  /** What a client may write to be somebody else, without a proxy that is trusted. */
  const claims = (address: string) => ({
    'X-Forwarded-For': address,
    'X-Real-IP': address,
    'CF-Connecting-IP': address,
    'True-Client-IP': address,
    Forwarded: `for=${address}`,
  })

  async function clientsLogged(stack: Stack, ids: readonly string[]): Promise<LogLine[string][]> {
    const lineOf = (id: string) => stack.log(part).find((line) => line['id'] === id)
    await eventually('the requests are logged', () => ids.every((id) => lineOf(id) !== undefined))
    return ids.map((id) => lineOf(id)?.['client'])
  }

  describe('without a proxy that is trusted', () => {
    let stack: Stack
    const ask = (id: string, address: string) =>
      fetch(`${face(stack)}/v2/`, { headers: { 'X-Request-Id': id, ...claims(address) } })

    beforeAll(async () => {
      stack = await startStack(runtime, undefined, { 'http-requests-per-minute': '1' })
    })

    afterAll(() => stack.stop())

    test('pitfall 21: who says to be somebody else is limited all the same, and logged as who it is', async () => {
      expect((await ask('claim-one', '192.0.2.7')).status).toBe(200)
      const refused = await ask('claim-two', '192.0.2.8')
      expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
      expect(refused.headers.get('Cache-Control')).toBe('no-store')
      expect(await ociError(refused)).toMatchObject({ status: 429, code: 'TOOMANYREQUESTS' })
      expect(await clientsLogged(stack, ['claim-one', 'claim-two'])).toEqual(['127.0.0.1', '127.0.0.1'])
      // Who asks whether we are there is no client.
      for (let at = 0; at < 3; at += 1) expect((await fetch(`${face(stack)}/readyz`)).status).toBe(200)
    })
  })

  describe('behind a proxy that is trusted', () => {
    let stack: Stack
    const ask = (id: string, forwardedFor: string) =>
      fetch(`${face(stack)}/v2/`, {
        headers: { ...claims('203.0.113.9'), 'X-Request-Id': id, 'X-Forwarded-For': forwardedFor },
      })

    beforeAll(async () => {
      stack = await startStack(runtime, undefined, {
        'http-requests-per-minute': '1',
        'http-trusted-proxies': '127.0.0.1,10.0.0.0/8',
      })
    })

    afterAll(() => stack.stop())

    test('pitfall 21: each client behind it is limited by itself, one of IPv6 by its /64', async () => {
      const rows: readonly [string, string, number][] = [
        ['192.0.2.7', '192.0.2.7', 200],
        ['192.0.2.7', '192.0.2.7', 429],
        ['192.0.2.8', '192.0.2.8', 200],
        ['::ffff:192.0.2.8', '192.0.2.8', 429],
        ['192.0.2.99, 192.0.2.7', '192.0.2.7', 429],
        ['192.0.2.7, 10.0.0.9', '192.0.2.7', 429],
        ['2001:db8:0:1::1', '2001:db8:0:1::1', 200],
        ['2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1:ffff:ffff:ffff:ffff', 429],
        ['2001:db8:0:2::1', '2001:db8:0:2::1', 200],
      ]
      for (const [at, [forwardedFor, , status]] of rows.entries())
        expect([forwardedFor, (await ask(`row-number-${at}`, forwardedFor)).status]).toEqual([forwardedFor, status])
      const ids = rows.map((_, at) => `row-number-${at}`)
      expect(await clientsLogged(stack, ids)).toEqual(rows.map(([, address]) => address))
    })
  })

  describe('without a proxy', () => {
    let stack: Stack

    beforeAll(async () => {
      stack = await startStack(runtime)
    })

    afterAll(() => stack.stop())

    test('pitfall 22: no answer leads to a host or scheme that somebody made up', async () => {
      const base = face(stack)
      const image = await pushImage(base, 'forwarded/host', 'v1', 'forwarded')
      await pushImage(base, 'forwarded/host', 'v2', 'forwarded')
      const headers = {
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'gopher',
        'X-Forwarded-Port': '666',
        Forwarded: 'host=evil.example;proto=gopher',
        'X-Original-URL': '/v2/evil',
        'X-Rewrite-URL': '/v2/evil',
      }
      const requests: readonly [string, string][] = [
        ['POST', '/v2/forwarded/host/blobs/uploads/'],
        ['GET', '/v2/forwarded/host/tags/list?n=1'],
        ['GET', '/v2/_catalog?n=1'],
        ['GET', '/v2/forwarded/host/manifests/v1'],
        ['GET', `/v2/forwarded/host/blobs/${image.digest}`],
        ['GET', '/v2/'],
        ['GET', '/v2/none/of/it/manifests/v1'],
      ]
      for (const [method, path] of requests) {
        const answer = await fetch(base + path, { method, headers, redirect: 'manual' })
        const plain = await fetch(base + path, { method, redirect: 'manual' })
        expect([path, answer.status]).toEqual([path, plain.status])
        expect(JSON.stringify([...answer.headers]) + (await answer.text())).not.toMatch(/evil|gopher|:666\b/)
      }
    })
  })
})
