// The bucket contract on the fake, the folder, and the folder over HTTP.

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import { bucketName } from '../../origin/bucket/bucket-name.ts'
import { createSignatureCheck } from '../../origin/bucket/verify-signature.ts'
import { createBucketServer } from '../../origin/bucket/bucket-server.ts'
import { createFsBucket } from '../../origin/bucket/fs-bucket.ts'
import { countOperations } from '../../origin/metrics/bucket-operations.ts'
import { listenHttp } from '../../origin/http/http-listener.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { createHttpBucket } from '../../shared/edge/http-bucket.ts'
import { prefixedBucket } from '../../shared/edge/prefixed-bucket.ts'
import { createSignedLinks } from '../../shared/edge/signed-links.ts'
import { createPooledFetch } from '../../origin/http/pooled-fetch.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/stack.ts'
import { bucketReaderContract, bucketWriterContract, type BucketUnderTest } from './bucket.contract.ts'

const endings: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

async function makeFolder(): Promise<string> {
  const { path, remove } = await temporaryFolder()
  endings.push(remove)
  return path
}

const putFile = (folder: string) => async (key: string, bytes: Uint8Array) => {
  await mkdir(dirname(join(folder, key)), { recursive: true })
  await writeFile(join(folder, key), bytes)
}

async function overFolder(): Promise<BucketUnderTest> {
  const folder = await makeFolder()
  return { bucket: await createFsBucket({ folder, random: systemRandom }), put: putFile(folder) }
}

async function overHttp(): Promise<BucketUnderTest> {
  const { bucket, ...folder } = await overFolder()
  const key = { accessKeyId: 'test', secretAccessKey: 'a secret of the test' }
  const listener = await listenHttp({
    fetch: createBucketServer({
      bucket,
      signatureFault: createSignatureCheck({ key, region: 'auto' }),
      clock: systemClock,
      log: silentLog,
      checks: [],
    }),
    address: { host: '127.0.0.1', port: 0 },
    idleTimeoutMs: 60_000,
    log: silentLog,
  })
  endings.push(() => listener.drain(0))
  const url = `http://127.0.0.1:${listener.address.port}/${bucketName}`
  return {
    bucket: createHttpBucket({
      links: createSignedLinks({ ...key, url, region: 'auto' }, systemClock),
      fetch: createPooledFetch(),
    }),
    ...folder,
  }
}

bucketReaderContract('in memory', async () => {
  const objects: Objects = new Map()
  return { bucket: createMemoryBucket(objects), put: async (key, bytes) => void objects.set(key, bytes) }
})
bucketReaderContract('in memory, under a prefix', async () => {
  // Beside it lies what a reader must not see, also where names begin alike.
  const objects: Objects = new Map(
    ['a/b', 'team/a', 'team/registry', 'team/registry-2/a', 'z'].map((key) => [key, new Uint8Array(1)]),
  )
  const bucket = prefixedBucket(createMemoryBucket(objects), 'team/registry')
  return { bucket, put: async (key, bytes) => void objects.set(`team/registry/${key}`, bytes) }
})
bucketReaderContract('a folder', overFolder)
bucketReaderContract('a folder over HTTP', overHttp)

bucketWriterContract('in memory', async () => createMemoryBucket())
bucketWriterContract('a folder', async () => createFsBucket({ folder: await makeFolder(), random: systemRandom }))

// Counting changes nothing.
bucketReaderContract('a folder, counted', async () => {
  const { bucket, ...folder } = await overFolder()
  return { bucket: countOperations().reader(bucket), ...folder }
})
bucketWriterContract('in memory, counted', async () => countOperations().writer(createMemoryBucket()))
