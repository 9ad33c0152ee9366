// Workers, R2 and KV as Cloudflare has them, on this machine: one Miniflare serves the built worker, by its bindings, and
// the very same bucket by the S3 API and by its public host.

import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { S3Access } from '../../../origin/bucket/s3-connection.ts'
import { buildWorker, compatibilityDate } from '../../../origin/process/build-worker.ts'
import { temporaryFolder } from '../stack.ts'

export const key = { accessKeyId: 'test-key-of-nobody', secretAccessKey: 'a-secret-of-the-tests-that-must-never-show' }
export const bucket = 'mirrorball-test'

/** What a deployment is given beside its bindings. */
type Variables = Readonly<Record<string, string>>

export interface LocalCloudflare {
  /** As origins write to the bucket. */
  readonly s3: S3Access
  /** The bucket's address, by its S3 API. */
  readonly bucketUrl: string
  /** The same by its public host, which wants no signature. */
  readonly publicUrl: string
  /** Runs the built worker once for each, all on one bucket and one KV namespace. Returns the address of each. */
  deploy<Name extends string>(workers: Readonly<Record<Name, Variables>>): Promise<Readonly<Record<Name, string>>>
  readonly stop: () => Promise<void>
}

/** @param entry the worker's module, in the project's folder; by default the one that is deployed */
export async function startLocalCloudflare(entry?: string): Promise<LocalCloudflare> {
  const folder = await temporaryFolder()
  const script = join(folder.path, 'worker.js')
  const date = await compatibilityDate()
  const r2Buckets = { BUCKET: { id: bucket, s3Credentials: key } }

  const options = (workers: Readonly<Record<string, Variables>>) => ({
    ...convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      workers: [
        { name: 'no-worker', modules: true, script: 'export default {}', compatibilityDate: date, r2Buckets },
        ...Object.entries(workers).map(([name, bindings]) => ({
          name,
          modules: true,
          modulesRoot: folder.path,
          scriptPath: script,
          compatibilityDate: date,
          r2Buckets,
          kvNamespaces: { MANIFESTS: 'manifests' },
          bindings: { ON_LOOPBACK: 'true', LOG_LEVEL: 'silent', ...bindings },
          unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        })),
      ],
    }),
    resourcePersistencePath: join(folder.path, 'state'),
  })

  const miniflare = new Miniflare(options({}))
  const { origin } = await miniflare.ready
  const endpoint = `${origin}/cdn-cgi/local/r2/s3`
  return {
    s3: { endpoint, region: 'auto', bucket, ...key },
    bucketUrl: `${endpoint}/${bucket}`,
    publicUrl: `${origin}/cdn-cgi/local/r2/public/${bucket}`,
    async deploy<Name extends string>(workers: Readonly<Record<Name, Variables>>) {
      await buildWorker(script, entry)
      // The port stays, and the bucket with it.
      await miniflare.setOptions(options(workers))
      const urls: Partial<Record<Name, string>> = {}
      for (const name of Object.keys(workers) as Name[]) urls[name] = (await miniflare.unsafeGetDirectURL(name)).origin
      return urls as Readonly<Record<Name, string>>
    },
    async stop() {
      await miniflare.dispose()
      await folder.remove()
    },
  }
}
