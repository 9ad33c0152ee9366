// Whether an upload that begins at the edge goes on at the origin's public host.

import { request } from 'node:http'
import { request as requestByTls } from 'node:https'
import type { Wait } from '../../shared/ports/bucket.ts'
import { type Ask, summaryOf } from './ask.ts'
import { type Check, reasonOf } from './check.ts'
import type { Place } from './network-checks.ts'
import { probeRepository } from './pull-checks.ts'
import type { Visitor } from './visitor.ts'

export interface UploadProbes {
  readonly edge: Place
  readonly ask: Ask
  /** `origin.public_url`. */
  readonly publicUrl: string | undefined
  /** Why nothing may be pushed; undefined: it may. */
  readonly readOnly: string | undefined
  readonly visitor: Visitor
}

export function uploadChecks({ edge, ask, publicUrl, readOnly, visitor }: UploadProbes): readonly Check[] {
  return [
    {
      name: 'public-uploads',
      why: 'layers that are pushed by the edge go there, and every push fails',
      mend: 'set origin.public_url to an address at which clients everywhere reach this origin, and restart the origin; a proxy there must pass Host, path and query on as they came',
      needs: ['edge-origin'],
      follows: ['bucket-write', 'bucket-read', 'bucket-list', 'tls', 'token-keys'],
      async run(wait) {
        if (publicUrl === undefined) return { skipped: 'origin.public_url is not set; layers go through the edge' }
        if (readOnly !== undefined) return { skipped: readOnly }
        const headers = await visitor.headersFor(probeRepository, 'push')
        if (headers === undefined) return { skipped: `nobody may push to ${probeRepository} that we could ask as` }
        const begun = await edge.ask(`${edge.url}/v2/${probeRepository}/blobs/uploads/`, wait, {
          method: 'POST',
          headers,
        })
        if (begun.status !== 202)
          return {
            fault: `an upload that begins at the edge was answered ${summaryOf(begun)}`,
            mend: 'the logs of edge and origin say why, under this request’s id',
          }
        const location = begun.headers.get('Location') ?? ''
        if (!location.startsWith(`${publicUrl}/`)) {
          const end = new URL(location, edge.url)
          return {
            fault: `the origin sends uploads to ${end.origin} and not to ${publicUrl}`,
            mend: 'restart the origin with this configuration',
          }
        }
        try {
          const state = await ask(location, wait)
          if (state.status !== 204)
            return { fault: `${publicUrl} leads to something that does not know the upload: ${summaryOf(state)}` }
          const status = await statusOfLarge(location, wait)
          if (status !== undefined)
            return {
              fault: `${publicUrl} answers a layer of 1 GiB with ${status} before any of it came`,
              mend: 'let no proxy at origin.public_url limit bodies (nginx: client_max_body_size 0; on Cloudflare: DNS only)',
            }
          return { ok: `uploads go on at ${publicUrl}` }
        } catch (error) {
          return { fault: `${publicUrl} does not lead to the origin: ${reasonOf(error)}` }
        } finally {
          // The same upload, by the edge: the public host may not be ours.
          const { pathname, search } = new URL(location)
          await edge.ask(`${edge.url}${pathname}${search}`, wait, { method: 'DELETE' }).catch(() => {})
        }
      },
    },
  ]
}

/** Bytes; more than platforms with a limit take. */
const largeBytes = 1024 ** 3

/** The status by which a large body is refused at once; undefined: it is asked for. None of it is sent. */
async function statusOfLarge(url: string, { signal }: Wait): Promise<number | undefined> {
  const said = Promise.withResolvers<number | undefined>()
  const headers = { Expect: '100-continue', 'Content-Length': largeBytes, 'Content-Type': 'application/octet-stream' }
  const send = url.startsWith('https:') ? requestByTls : request
  const outgoing = send(url, { method: 'PATCH', headers, signal })
  outgoing.once('continue', () => said.resolve(undefined))
  outgoing.once('response', ({ statusCode }) => said.resolve(statusCode))
  outgoing.on('error', said.reject)
  outgoing.flushHeaders()
  try {
    return await said.promise
  } finally {
    outgoing.destroy()
  }
}
