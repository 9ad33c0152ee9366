// The process that takes pushes.

import * as v from 'valibot'
import { originUrl, sharedSecret, wholeNumber } from '../../../shared/config/rules.ts'
import { listenAddress } from '../rules.ts'
import { setting } from '../setting.ts'
import { metricsListen } from './metrics-listen.ts'

export const originSection = v.strictObject({
  listen: setting(listenAddress, {
    default: '127.0.0.1:1970',
    description: 'Where the origin takes pushes.',
  }),
  metrics_listen: metricsListen('origin', '127.0.0.1:9470'),
  public_url: setting(originUrl, {
    example: 'https://push.example.com',
    description:
      'Where clients everywhere reach the origin: layers that are pushed by an edge go there past it. Unless set, they go through the edge.',
  }),
  key: setting(sharedSecret, {
    example: 'yJ4nQ0c7Zs1vKfTg8UeXw2LbRm5PdHa9oViC3NxB6Eo',
    secret: true,
    description:
      'Secret of all origins on one bucket of `bucket.s3_url`, and the same at each: with it personal access tokens and keys are kept in the bucket, sealed. Unless set, they are in the data folder.',
  }),
  request_timeout_ms: setting(wholeNumber(1, 600_000), {
    default: 60_000,
    description: 'Longest time until the origin begins an answer, uploads apart.',
  }),
})
