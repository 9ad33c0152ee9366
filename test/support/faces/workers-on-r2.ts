// A registry as it is deployed on Cloudflare: an origin that writes to R2 by its S3 API, and the built worker over the same
// bucket, once for each way in which blobs reach clients.

import { type LocalCloudflare, startLocalCloudflare } from '../bucket/local-cloudflare.ts'
import { anyPorts, type Part, startPart, temporaryFolder } from '../stack.ts'

/** How a worker hands out blobs: by URLs that it signs, by those of the public host where that may be, or itself. */
export const deliveries = ['signed', 'public', 'streamed'] as const

export type Delivery = (typeof deliveries)[number]

export interface WorkersOnR2 {
  readonly cloud: LocalCloudflare
  readonly originUrl: string
  /** The origin's. */
  readonly dataFolder: string
  readonly workers: Readonly<Record<Delivery, string>>
  readonly stop: () => Promise<void>
}

const edgeKey = 'a-key-of-edges-that-only-tests-know-of'

/** @param settings of the origin */
export async function startWorkersOnR2(settings: Readonly<Record<string, string>> = {}): Promise<WorkersOnR2> {
  const folder = await temporaryFolder()
  const cloud = await startLocalCloudflare()
  let origin: Part | undefined
  const stop = async () => {
    await origin?.stop()
    await cloud.stop()
    await folder.remove()
  }
  try {
    origin = await startPart('origin', {
      'data-dir': folder.path,
      ...anyPorts,
      ...s3Settings(cloud),
      'edge-key': edgeKey,
      ...settings,
    })
    const shared = { ORIGIN_URL: origin.url, EDGE_KEY: edgeKey }
    const signing = signingVariables(cloud)
    const workers = await cloud.deploy({
      signed: { ...shared, ...signing },
      public: { ...shared, ...signing, BUCKET_PUBLIC_URL: cloud.publicUrl },
      streamed: shared,
    })
    return { cloud, originUrl: origin.url, dataFolder: folder.path, workers, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** An origin's settings of the bucket. */
export function s3Settings({ bucketUrl, s3 }: Pick<LocalCloudflare, 'bucketUrl' | 's3'>) {
  return {
    'bucket-s3-url': bucketUrl,
    'bucket-access-key-id': s3.accessKeyId,
    'bucket-secret-access-key': s3.secretAccessKey,
  }
}

/** A worker's variables for URLs that it signs. */
export function signingVariables({ bucketUrl, s3 }: Pick<LocalCloudflare, 'bucketUrl' | 's3'>) {
  return {
    BUCKET_URL: bucketUrl,
    BUCKET_ACCESS_KEY_ID: s3.accessKeyId,
    BUCKET_SECRET_ACCESS_KEY: s3.secretAccessKey,
  }
}
