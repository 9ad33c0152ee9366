// The process that hands out blobs, and its folder.

import * as v from 'valibot'
import { httpUrl } from '../../../shared/config/rules.ts'
import { bucketName } from '../../bucket/bucket-name.ts'
import { listenAddress, path, region } from '../rules.ts'
import { setting } from '../setting.ts'
import { metricsListen } from './metrics-listen.ts'

export const bucketSection = v.strictObject({
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
    description: `Address of the bucket in redirects. Default: \`http://<bucket.listen>/${bucketName}\`.`,
  }),
  region: setting(region, {
    default: 'auto',
    description: 'Region that the signatures name.',
  }),
})
