// Whether origin and edge run, and work together.

import { knownEdgeHeader } from '../../shared/auth/edge-word.ts'
import type { Random } from '../../shared/ports/random.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'
import { type Reply, summaryOf } from './ask.ts'
import type { Check, Finding } from './check.ts'
import type { Place } from './network-checks.ts'
import type { Visitor } from './visitor.ts'

export interface ProcessProbes {
  readonly origin: Place
  readonly edge: Place
  readonly visitor: Visitor
  readonly random: Random
  /** Whether the origin is told of clients by proxies that it knows by their address. */
  readonly trustsProxies: boolean
}

export function processChecks(probes: ProcessProbes): readonly Check[] {
  const { origin, edge, random } = probes
  const configured = (setting: string) =>
    `see that the process runs (its log says why it does not) and that ${setting} is its address`
  return [
    {
      name: 'origin-live',
      why: 'nothing can be pushed or deleted, and nobody can sign in',
      mend: configured('--origin-url'),
      follows: ['bucket', 'bucket-format', 'tls'],
      run: (wait) => live(origin, wait),
    },
    {
      name: 'origin-ready',
      why: 'the origin runs, and answers 503 because something that it needs does not work',
      mend: 'the origin’s log has a line "not ready" that says why',
      needs: ['origin-live'],
      follows: ['bucket', 'bucket-write'],
      run: (wait) => ready(origin, wait),
    },
    {
      name: 'edge-live',
      why: 'nothing can be pulled',
      mend: configured('--edge-url'),
      follows: ['tls'],
      run: (wait) => live(edge, wait),
    },
    {
      name: 'edge-ready',
      why: 'the edge runs, and answers 503 because something that it needs does not work',
      mend: 'the edge’s log has a line "not ready" that says why; an edge needs a bucket that it can read and the access rules in it',
      needs: ['edge-live'],
      follows: ['bucket', 'access-rules'],
      run: (wait) => ready(edge, wait),
    },
    {
      name: 'edge-origin',
      why: 'pushes, sign-ins and what the bucket does not have go through the edge to the origin',
      mend: 'set edge.origin_url (a worker’s ORIGIN_URL) to an address at which the edge reaches the origin, and let no firewall stand between them',
      needs: ['edge-live'],
      follows: ['origin-live', 'origin-ready', 'edge-ready', 'access-rules', 'token-keys'],
      async run(wait) {
        const reply = await askThrough(probes, wait)
        if (reply === undefined) return { skipped: 'nobody may pull what would show it' }
        const tier = reply.headers.get('Server-Timing')?.split(';')[0]
        const answer = summaryOf(reply)
        if (answer === '404 MANIFEST_UNKNOWN' && tier === 'origin') return { ok: 'the origin answers through the edge' }
        return { fault: `what the edge hands on to the origin was answered ${answer} (by ${tier ?? 'somebody else'})` }
      },
    },
    {
      name: 'edge-key',
      why: 'to the origin all clients of the edge are one: they share one limit, and the log names the edge instead of them',
      mend: 'give edge and origin the same edge.key (a worker’s secret EDGE_KEY), and see that their clocks agree',
      needs: ['edge-origin'],
      follows: ['clock'],
      async run(wait) {
        const said = (await askThrough(probes, wait))?.headers.get(knownEdgeHeader)
        if (said === 'known') return { ok: 'the origin knows this edge' }
        if (said === 'unknown') return { fault: 'the origin does not know the key that the edge signs with' }
        if (probes.trustsProxies) return { skipped: 'the edge has no key; http.trusted_proxies may name it' }
        return { fault: 'the edge has no key' }
      },
    },
  ]

  /** A name that only the origin can know. */
  async function askThrough({ visitor }: ProcessProbes, wait: Wait): Promise<Reply | undefined> {
    const name = `${random.uuid()}${random.uuid()}`.replaceAll('-', '') as RepositoryName
    const headers = await visitor.headersFor(name, 'pull')
    return headers && edge.ask(`${edge.url}/v2/${name}/manifests/latest`, wait, { headers })
  }
}

async function live({ url, ask }: Place, wait: Wait): Promise<Finding> {
  const reply = await ask(`${url}/livez`, wait)
  if (reply.status === 200 && hasField(reply, 'live')) return { ok: url }
  return { fault: `${url}/livez was answered ${summaryOf(reply)}, which is not Mirrorball’s` }
}

async function ready({ url, ask }: Place, wait: Wait): Promise<Finding> {
  const reply = await ask(`${url}/readyz`, wait)
  if (reply.status === 200 && hasField(reply, 'ready')) return { ok: url }
  return { fault: `${url}/readyz was answered ${reply.status}: ${new TextDecoder().decode(reply.bytes).slice(0, 200)}` }
}

function hasField({ bytes }: Reply, name: string): boolean {
  return new TextDecoder().decode(bytes).startsWith(`{"${name}":true`)
}
