// Where public images are on IPFS, and who is asked for those that were never seen here.

import * as v from 'valibot'
import { httpUrl, wholeNumber } from '../../../shared/config/rules.ts'
import { httpUrls, multiaddrs, peerMultiaddrs } from '../rules.ts'
import { setting } from '../setting.ts'

export const ipfsSection = v.strictObject({
  backend: setting(v.picklist(['embedded', 'kubo', 'off'], 'must be embedded, kubo or off'), {
    default: 'embedded',
    description:
      'Where public images are on IPFS: `embedded`, which hands them out from the bucket itself; `kubo`, a node at `ipfs.kubo_url` that keeps copies; or `off`, not at all.',
  }),
  listen: setting(multiaddrs, {
    example: '/ip4/127.0.0.1/tcp/4001',
    description:
      'Where the embedded node hands out public images to other nodes of IPFS: multiaddrs with commas between them. Nowhere unless set.',
  }),
  peers: setting(peerMultiaddrs, {
    example: '/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN',
    description:
      'Nodes of IPFS that the embedded node keeps in touch with, and asks for images that were never seen here: multiaddrs with commas between them. No others are ever dialled.',
  }),
  kubo_url: setting(httpUrl, {
    example: 'http://127.0.0.1:5001',
    description:
      'RPC of a Kubo node. Images that were never seen here are asked for there, and with `ipfs.backend: kubo` public ones are kept there.',
  }),
  gateways: setting(httpUrls, {
    example: 'https://trustless-gateway.example.com',
    description:
      'Trustless gateways to ask for images that were never seen here, in this order: URLs with commas between them. None unless set.',
  }),
  fetch_timeout_ms: setting(wholeNumber(1, 600_000), {
    default: 30_000,
    description: 'Longest time without a byte of content that is fetched from IPFS.',
  }),
  fetch_limit_gib: setting(wholeNumber(1, 10_000), {
    default: 50,
    description: 'Largest image that is fetched from IPFS.',
  }),
  searches_per_minute: setting(wholeNumber(0, 1_000_000), {
    example: 10,
    description:
      'Images that were never seen here, of which a client may make the origin ask others; an IPv6 client is its /64. 0: any number. 20 unless set, and then any number from this machine.',
  }),
  keep_fetched_days: setting(wholeNumber(1, 36_500), {
    default: 30,
    description: 'Days for which an image that came by its CID is kept after it was last asked for.',
  }),
})
