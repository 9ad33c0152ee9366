// What requests cost, in what Cloudflare counts and bills.

/** Operations, each in the unit that has a price. */
export interface Operations {
  /** Of the worker. */
  readonly requests: number
  /** R2: lists and writes. */
  readonly classA: number
  /** R2: reads. */
  readonly classB: number
  readonly kvReads: number
  readonly kvWrites: number
  /** From the worker to the origin, which have no price. */
  readonly fetches: number
}

export const nothing: Operations = { requests: 0, classA: 0, classB: 0, kvReads: 0, kvWrites: 0, fetches: 0 }

export function sum(all: readonly Operations[]): Operations {
  const add = (name: keyof Operations) => all.reduce((total, each) => total + each[name], 0)
  return {
    requests: add('requests'),
    classA: add('classA'),
    classB: add('classB'),
    kvReads: add('kvReads'),
    kvWrites: add('kvWrites'),
    fetches: add('fetches'),
  }
}

const kinds: Readonly<Record<string, keyof Operations>> = {
  'R2 get': 'classB',
  'R2 head': 'classB',
  'R2 list': 'classA',
  'KV get': 'kvReads',
  'KV getWithMetadata': 'kvReads',
  'KV put': 'kvWrites',
  fetch: 'fetches',
}

/** Of one request. @param counted the header of test/workerd/counted-worker.ts */
export function operationsOf(counted: string): Operations {
  const found = { ...nothing, requests: 1 }
  for (const call of counted.split(',').filter(Boolean)) {
    const kind = kinds[call]
    if (kind === undefined) throw new Error(`${call} has no price here`)
    found[kind] += 1
  }
  return found
}

/**
 * Of an origin's requests to R2. Source: "R2 pricing", of Cloudflare, which lists the operations of both classes.
 *
 * @param calls as test/support/bucket/s3-proxy.ts has them, `PUT /bucket/key?query 200`
 */
export function s3Operations(calls: readonly string[]): Operations {
  const found = { ...nothing }
  for (const call of calls) {
    const [method, url = ''] = call.split(' ')
    // Removing has no price.
    if (method === 'DELETE') continue
    const reads = (method === 'GET' || method === 'HEAD') && !/[?&](?:list-type|uploads|uploadId)\b/.test(url)
    found[reads ? 'classB' : 'classA'] += 1
  }
  return found
}
