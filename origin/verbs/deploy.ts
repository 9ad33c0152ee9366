// Puts together what looks at a worker before it is deployed.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Wait } from '../../shared/ports/bucket.ts'
import { formatKey } from '../../shared/layout/keys.ts'
import { accessRules, accountsFolder, accountsSecret, areUnasked, bucketUrl, s3Access } from '../config/addresses.ts'
import { edgeKeyName } from '../accounts/records.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import { type Outcome, runChecks } from '../doctor/check.ts'
import { deployChecks, r2Bucket } from '../deploy/deploy-checks.ts'
import { type DeployStep, deploySteps } from '../deploy/deploy-steps.ts'
import { bucketBinding, type WranglerFile } from '../deploy/wrangler-file.ts'
import { buildWorker, readWranglerFile } from '../process/build-worker.ts'
import { projectFolder } from '../process/project-folder.ts'
import { systemClock } from '../compose/system-ports.ts'

/** Milliseconds for each check: building the worker takes a second or two. */
const checkTimeoutMs = 60_000

/** Milliseconds in which a bucket should say whether it is there. */
const bucketTimeoutMs = 5_000

export interface LookedAt {
  readonly outcomes: AsyncIterable<Outcome>
  readonly steps: readonly DeployStep[]
}

/**
 * @param path of the file; undefined: that of the project
 * @param isOffline nobody is asked whether the bucket is there
 * @throws Error where there is no such file, or it is broken
 */
export async function lookAtWorker(
  config: Config,
  { path: given, isOffline }: { readonly path: string | undefined; readonly isOffline: boolean },
  wait: Wait,
): Promise<LookedAt> {
  const path = resolve(given ?? join(projectFolder, 'wrangler.toml'))
  const file = await readWranglerFile(path)
  const origin = {
    s3Url: config.bucket.s3_url,
    bucketUrl: bucketUrl(config),
    prefix: config.bucket.prefix,
    region: config.bucket.region,
    accessFault: accessFault(config),
  }
  const today = new Date(systemClock.now()).toISOString().slice(0, 10)
  const main = join(projectFolder, 'worker/index.ts')
  const checks = deployChecks({ file, path, main, origin, today, bundleBytes })
  return {
    outcomes: runChecks(checks, { clock: systemClock, timeoutMs: checkTimeoutMs, wait }),
    steps: deploySteps({
      file,
      configPath: given === undefined && process.cwd() === projectFolder ? undefined : relative(process.cwd(), path),
      bucketThere: isOffline ? undefined : await isBucketThere(config, file, wait),
      edgeKeyFile: edgeKeyFile(config),
    }),
  }
}

/** Where the edge's key stands as it is; undefined where it is configured, or sealed in the bucket. */
function edgeKeyFile(config: Config): string | undefined {
  const isFile = config.edge.key === undefined && accountsSecret(config) === undefined
  return isFile ? join(accountsFolder(config), edgeKeyName) : undefined
}

async function bundleBytes(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'mirrorball-deploy-'))
  try {
    const file = join(folder, 'worker.js')
    await buildWorker(file)
    return gzipSync(await readFile(file)).byteLength
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function accessFault(config: Config): string | undefined {
  try {
    const rules = accessRules(config)
    return areUnasked(config, rules) ? 'the origin allows pushes and deletes only because it is on loopback' : undefined
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

/** Undefined where the origin's key says nothing of the bucket that the worker reads. */
async function isBucketThere(config: Config, file: WranglerFile, wait: Wait): Promise<boolean | undefined> {
  const access = s3Access(config)
  if (access === undefined || r2Bucket(config.bucket.s3_url ?? '') !== bucketBinding(file)?.bucket_name)
    return undefined
  const [{ connectS3, S3Failure }, { createS3Bucket }] = await Promise.all([
    import('../bucket/s3-connection.ts'),
    import('../bucket/s3-bucket.ts'),
  ])
  const bucket = createS3Bucket(connectS3({ access, clock: systemClock, timeoutMs: bucketTimeoutMs }))
  try {
    await bucket.read(formatKey, 1024, wait)
    return true
  } catch (error) {
    wait.signal.throwIfAborted()
    return error instanceof S3Failure && error.code === 'NoSuchBucket' ? false : undefined
  }
}
