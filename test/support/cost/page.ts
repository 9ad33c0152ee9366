// docs/cost.md, made from what was counted.

import { join } from 'node:path'
import { projectFolder } from '../stack.ts'
import type { Counts } from './count.ts'
import type { Cpu } from './cpu.ts'
import { type Counted, layersOfAnImage } from './measured.ts'
import { nothing, type Operations, sum } from './operations.ts'
import { assumedCpuMs, priceOfMillion, prices } from './prices.ts'

export const pageFile = join(projectFolder, 'docs/cost.md')

const blobsOfAnImage = layersOfAnImage + 1

/** Dollars a gigabyte, where bytes that leave have a price. */
const egressPrice = 0.09

export function costPage({ requests, push, pulls }: Counts, cpu: readonly Cpu[]): string {
  const clientReads: Operations = { ...nothing, classB: blobsOfAnImage }
  const billed = pulls
    .slice(1)
    .flatMap(({ what, worker }) => [
      [`${what}, blobs by signed URLs`, sum([worker, clientReads])] as const,
      [`${what}, blobs from a CDN before the public host`, worker] as const,
    ])
  return `# What it costs on Cloudflare

Written by \`MIRRORBALL_TEST_WRITE_COST=1 npm test -- test/e2e/cost.test.ts\`. The same test without the variable counts again and fails where this page says something else; only the CPU times are left alone.

## Operations of a request

Counted on this machine: the built worker in Miniflare with R2 and KV bound, each call of a binding and each fetch noted, with those after the answer. R2's class B are reads (\`GetObject\`, \`HeadObject\`), class A writes and lists. Removing is free. Calls of R2 and KV and fetches to the origin are subrequests, of which the platform limits the number for each request. The isolate has read the rules of access, which it does again once a minute: the first line.

${table(columns, requests.map(row))}

- **Every manifest costs a read of R2**: the link that says what a tag names now, or that the manifest is in the repository. That is what makes tags strong, and deletes seen at once; KV and memory save the bytes alone.
- **A blob costs two reads**, for its link and its bytes, remembered for a minute in each isolate. What the client then reads at R2 is a third; at a public host behind a CDN only where the CDN does not have it.
- An isolate that sees a tag for the first time reads in KV what was last known of it, and writes only where that is something else: a write costs ten reads. So does a manifest, which is written once.
- The catalog lists every folder of names, and looks whether each is a repository; tags cost one list for each thousand, referrers one list, a look at the fallback tag, and two at each entry.

## Pushes

An image of ${layersOfAnImage} layers and its config, pushed by an edge with \`origin.public_url\` set. The client looks for each blob first. The layers are smaller than a piece, so that each is staged by one write and published by one copy; a larger layer costs the origin a write for each piece of 8 to 32 MiB, and as many copies. The image is put on IPFS by the embedded node.

${table(
  ['what', 'worker: requests', 'worker: class A', 'worker: class B', 'origin: class A', 'origin: class B'],
  [
    [
      push.what,
      ...[push.worker.requests, push.worker.classA, push.worker.classB, push.origin.classA, push.origin.classB].map(
        String,
      ),
    ],
  ],
)}

## Pulls

An image of ${layersOfAnImage} layers under a tag, as docker pulls it where the registry has users: \`/v2/\`, an anonymous token, the tag by HEAD, the manifest by digest, and ${blobsOfAnImage} blobs. An index before it is one manifest by digest more.

${table(columns, pulls.map(row))}

## A million pulls

Prices as Cloudflare's documentation has them ("Pricing" of Workers, R2 and Workers KV, read in its public repository cloudflare/cloudflare-docs in November 2026), in US dollars for a million: ${price('requests', 'requests to the worker')}, ${price('cpuMs', 'milliseconds of CPU')}, ${price('classA', 'class A')}, ${price('classB', 'class B')}, ${price('kvReads', 'reads of KV')}, ${price('kvWrites', 'writes of KV')}. Fetches of the worker have no price, nor has anything that leaves R2 for the Internet. Nothing that the plans include is taken off: with the paid plan of Workers at $5 a month that is 10 million requests, 30 million milliseconds, 10 million reads of KV and a million writes, and with R2 a million of class A and 10 million of class B. Storage is $0.015 for a gigabyte and month. Put in your own:

\`\`\`
a million pulls = requests × ${prices.requests.toFixed(2)} + requests × ${assumedCpuMs} ms × ${prices.cpuMs} + A × ${prices.classA.toFixed(2)} + B × ${prices.classB}
                + KV reads × ${prices.kvReads.toFixed(2)} + KV writes × ${prices.kvWrites.toFixed(2)}          (the numbers of one pull)
\`\`\`

${table(
  ['a million pulls', 'requests', 'class A', 'class B', 'KV reads', 'KV writes', 'price'],
  billed.map(([what, each]) => [
    what,
    ...[each.requests, each.classA, each.classB, each.kvReads, each.kvWrites].map((count) => `${count} M`),
    `$${priceOfMillion(each).toFixed(2)}`,
  ]),
)}

The first pull anywhere happens once for each image, so a registry's bill lies between these. Each millisecond of CPU more is $${(blobsOfAnImage + 4) * prices.cpuMs} more. By signed URLs the client's ${blobsOfAnImage} reads of R2 are in it; from a CDN they are taken to be kept there, which takes a rule at the CDN, since blobs are stored as \`private\`, and files that it may keep (their size is limited).

**The bytes.** From R2 they cost nothing, whatever the size. Where bytes that leave have a price, a million pulls of an image of S gigabytes cost S × 1,000,000 × the price of a gigabyte: at $${egressPrice}, which several public comparisons name for the first terabytes of AWS S3 in 2026 (AWS's own list was not read for this page; more bytes are cheaper), an image of 0.1 GB is $${(0.1 * 1_000_000 * egressPrice).toLocaleString('en-US')}.

## CPU time

Milliseconds a request, of a workerd on the machine that wrote this page (2 cores, shared with client and origin). Miniflare plays R2 and KV in the same process, and HTTP is in it too, so this is more than Cloudflare counts, which is the time of the script alone; Miniflare cannot tell that. A manifest has a read of R2 as Miniflare plays it, \`/v2/\` and the redirect have none. Prices above are made with ${assumedCpuMs} ms.

${table(
  cpuColumns,
  cpu.map(({ what, msPerRequest }) => [what, msPerRequest.toFixed(2)]),
)}
`
}

const columns = ['what', 'requests', 'R2 class A', 'R2 class B', 'KV reads', 'KV writes', 'fetches to the origin']

const cpuColumns = ['request', 'ms of CPU']

function row({ what, worker }: Counted): readonly string[] {
  const { requests, classA, classB, kvReads, kvWrites, fetches } = worker
  return [what, ...[requests, classA, classB, kvReads, kvWrites, fetches].map(String)]
}

function price(name: keyof typeof prices, what: string): string {
  return `${what} $${prices[name].toFixed(2)}`
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The times that a page has. */
export function readCpu(page: string): readonly Cpu[] {
  const header = `| ${cpuColumns.join(' | ')} |`
  const lines = page.slice(page.indexOf(header)).split('\n').slice(2)
  return lines.flatMap((line) => {
    const [, what, ms] = /^\| (.*) \| (\d+\.\d\d) \|$/.exec(line) ?? []
    return what === undefined ? [] : [{ what, msPerRequest: Number(ms) }]
  })
}
