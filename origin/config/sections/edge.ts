// The process that serves pulls. What a deployed worker is configured with is in worker/config.ts.

import * as v from 'valibot'
import { originUrl, sharedSecret, wholeNumber } from '../../../shared/config/rules.ts'
import { listenAddress } from '../rules.ts'
import { setting } from '../setting.ts'
import { metricsListen } from './metrics-listen.ts'

export const edgeSection = v.strictObject({
  listen: setting(listenAddress, {
    default: '127.0.0.1:8787',
    description: 'Where the edge serves pulls.',
  }),
  metrics_listen: metricsListen('edge on Node', '127.0.0.1:9472'),
  runtime: setting(v.picklist(['node', 'workerd'], 'must be node or workerd'), {
    default: 'node',
    description: '`node` reads the bucket’s folder; `workerd` runs the built worker, which reads the bucket over HTTP.',
  }),
  bucket_access: setting(v.picklist(['folder', 'http'], 'must be folder or http'), {
    default: 'folder',
    description:
      'How an edge on Node reads the bucket: `folder`, or `http` where the folder is on another machine. In workerd always `http`.',
  }),
  origin_url: setting(originUrl, {
    example: 'http://192.0.2.7:1970',
    description: 'Where the edge finds the origin. Default: `origin.listen`, over TLS where `http.tls_cert` is set.',
  }),
  key: setting(sharedSecret, {
    example: '2Vb1rKx0GqkZJt3mYw7cXoPz5NfDh9LsQe4UaBv8TiM',
    secret: true,
    description:
      'Secret by which the origin knows its edges, and believes them whom they ask for: the same at both. Default: the key in the data folder, `accounts/edge-key`; its text is the one for edges on other machines.',
  }),
  memory_cache_mib: setting(wholeNumber(1, 65_536), {
    default: 64,
    description: 'Manifests the edge keeps in memory, MiB. The worker takes at most 96.',
  }),
  bucket_timeout_ms: setting(wholeNumber(1, 600_000), {
    default: 10_000,
    description: 'Longest time until the bucket begins its answer to the edge.',
  }),
  origin_timeout_ms: setting(wholeNumber(1, 600_000), {
    default: 60_000,
    description: 'Longest time the edge waits for the origin without a byte.',
  }),
})
