// The bucket: a folder with the process that hands out blobs from it, or one on a server that speaks S3.

import * as v from 'valibot'
import { httpUrl, keyFolder, wholeNumber } from '../../../shared/config/rules.ts'
import { bucketName } from '../../bucket/bucket-name.ts'
import { credential, listenAddress, path, region } from '../rules.ts'
import { setting } from '../setting.ts'
import { metricsListen } from './metrics-listen.ts'

export const bucketSection = v.strictObject({
  s3_url: setting(httpUrl, {
    example: 'https://0123456789abcdef.r2.cloudflarestorage.com/mirrorball',
    description:
      'Address of a bucket on a server that speaks S3, with the bucket’s name at the end of the path. Where it is set there is no folder, and no bucket process.',
  }),
  prefix: setting(keyFolder, {
    example: 'team/registry',
    description:
      'Where in the bucket at `bucket.s3_url` everything lies; `rootdirectory` of the S3 driver of Distribution. Unless set, at the top.',
  }),
  access_key_id: setting(credential, {
    example: 'AKIAEXAMPLE',
    description: 'Name of the key for `bucket.s3_url`.',
  }),
  secret_access_key: setting(credential, {
    secret: true,
    example: 'secret-of-the-key',
    description: 'The key for `bucket.s3_url`.',
  }),
  s3_timeout_ms: setting(wholeNumber(1, 600_000), {
    default: 30_000,
    description: 'Longest time for a request to `bucket.s3_url`, with all its tries; what carries bytes has longer.',
  }),
  upload_memory_mib: setting(wholeNumber(16, 65_536), {
    default: 32,
    description: 'Memory in which the origin gathers layers for `bucket.s3_url`, for all uploads together.',
  }),
  folder: setting(path, {
    example: '/srv/mirrorball/bucket',
    description: 'The bucket. Default: `bucket` in the data folder.',
  }),
  listen: setting(listenAddress, {
    default: '127.0.0.1:1971',
    description: 'Where the bucket hands out blobs by signed URLs.',
  }),
  metrics_listen: metricsListen('bucket process', '127.0.0.1:9471'),
  url: setting(httpUrl, {
    example: `https://blobs.example.com/${bucketName}`,
    description: `Address of the bucket in redirects. Default: \`bucket.s3_url\`, or \`http://<bucket.listen>/${bucketName}\`.`,
  }),
  public_url: setting(httpUrl, {
    example: 'https://blobs.example.com',
    description:
      'Where everyone gets blobs without a signature, the bucket’s keys being the path: a host that serves `docker/registry/v2/blobs/` and nothing else. Edges send clients there while everyone may pull everything, and else to `bucket.url`.',
  }),
  region: setting(region, {
    default: 'auto',
    description: 'Region that the signatures name.',
  }),
})
