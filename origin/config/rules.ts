// What the processes on Node check values of their configuration with, beside the rules they share with the worker.

import * as v from 'valibot'
import { httpUrl, listOf } from '../../shared/config/rules.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

const listenMessage = 'must be HOST:PORT, e.g. 127.0.0.1:1970 or [::1]:1970'

/** Where a process listens. */
export const listenAddress = v.config(
  v.pipe(
    v.string(listenMessage),
    v.regex(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, listenMessage),
    v.check((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port of at most 65535'),
    v.transform((text): ListenAddress => {
      const colon = text.lastIndexOf(':')
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
    }),
  ),
  { abortPipeEarly: true },
)

/** Of a file or a folder. */
export const path = v.pipe(v.string('must be a path'), v.minLength(1, 'must be a path'))

const credentialMessage = 'must be printable characters without spaces'

/** A key, or its name, as somebody else made it. */
export const credential = v.pipe(v.string(credentialMessage), v.regex(/^[!-~]+$/, credentialMessage))

const regionMessage = 'must be the name of a region'

/** As signatures of S3 name it. */
export const region = v.pipe(v.string(regionMessage), v.minLength(1, regionMessage))

/** Addresses on which to listen for other nodes of IPFS. */
export const multiaddrs = listOf(
  v.pipe(v.string(), v.regex(/^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s,]+\/tcp\/\d{1,5}$/)),
  'must be multiaddrs of TCP with commas between them, e.g. /ip4/127.0.0.1/tcp/4001',
)

/** Addresses of certain nodes of IPFS. */
export const peerMultiaddrs = listOf(
  v.pipe(v.string(), v.regex(/^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s,]+\/tcp\/\d{1,5}\/p2p\/[A-Za-z0-9]+$/)),
  'must be multiaddrs of TCP with /p2p/ and the id of the node, with commas between them',
)

/** Addresses on the web. */
export const httpUrls = listOf(httpUrl, 'must be http(s) URLs without a slash at the end, with commas between them')
