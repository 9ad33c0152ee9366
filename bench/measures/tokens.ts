// What users cost an edge: manifests asked for with tokens, beside the same without any.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashPassword } from '../../origin/accounts/password-hash.ts'
import { pushManyTags } from '../content.ts'
import { runLoad } from '../load.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import { interleave, median, ratioOf } from '../statistics.ts'
import type { Line, Measure } from './measure.ts'
import { acceptManifests } from './requests.ts'

const tokenCount = 1000

/**
 * Rounds are so many times longer than those of other measures. The first sight of a token costs more than what follows,
 * and a token is good for five minutes: a round of two seconds, each with a thousand new ones, would count little else.
 */
const longer = 5
const name = 'bench/tokens'
const [user, password] = ['bench', 'a password of the bench']

export const tokens: Measure = {
  name: 'tokens',
  about:
    'wrk with one thread asks an edge on Node for 1,000 tags in random order, 32 connections: with 1,000 tokens of a user that are new to it in each round, each request with any of them, and with no token, where nobody can sign in. Rounds are five times as long as others.',
  async run(options) {
    const { folder } = options
    await mkdir(folder, { recursive: true })
    const htpasswd = join(folder, 'htpasswd')
    await writeFile(htpasswd, `${user}:${await hashPassword(password)}\n`)
    const open = await startMirrorball(join(folder, 'tokens-open'), 'node, folder', {
      name: 'Mirrorball, without users',
    })
    const closed = await startMirrorball(join(folder, 'tokens-closed'), 'node, folder', {
      name: 'Mirrorball, 1,000 tokens',
      options: ['--access-anonymous=pull', `--access-htpasswd=${htpasswd}`],
    })
    try {
      const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
      const token = async (actions: string) => {
        const scope = `repository:${name}:${actions}`
        const answer = await fetch(`${closed.pushUrl}/token?scope=${scope}`, { headers: { Authorization: basic } })
        return ((await answer.json()) as { token: string }).token
      }
      const authorization = { Authorization: `Bearer ${await token('pull,push')}` }
      const { manifestPaths } = await pushManyTags(open.pushUrl, name)
      await pushManyTags(closed.pushUrl, name, authorization)
      const rates = await interleave([closed, open], options, async (peer, round) => {
        // New ones each time: an edge remembers those that it has seen.
        const authorizations = peer === closed ? (await manyTokens(token)).map((text) => `Bearer ${text}`) : []
        const load = { url: peer.pullUrl, paths: manifestPaths, connections: 32, seconds: longer * options.loadSeconds }
        const { requestsPerSecond } = await runLoad({ ...load, headers: acceptManifests, authorizations })
        options.say(`tokens, round ${round + 1}: ${peer.name} ${Math.round(requestsPerSecond)}/s`)
        return requestsPerSecond
      })
      const [ours, without] = [rates.get(closed) ?? [], rates.get(open) ?? []]
      const figure = (each: readonly number[]) => `${Math.round(median(each))}/s`
      const what = 'manifest by tag, 32 connections'
      const lines: Line[] = [
        { what, peer: closed.name, figure: figure(ours) },
        { what, peer: open.name, figure: figure(without), ratio: ratioOf(ours, without), target: 0.75 },
      ]
      return lines
    } finally {
      await closed.stop()
      await open.stop()
    }
  },
}

async function manyTokens(token: (actions: string) => Promise<string>): Promise<string[]> {
  const made: string[] = []
  while (made.length < tokenCount) made.push(...(await Promise.all(Array.from({ length: 50 }, () => token('pull')))))
  return made
}
