// What of a worker would not work, seen before it is deployed: its wrangler.toml beside the origin's configuration.

import { basename, resolve } from 'node:path'
import { readWorkerSettings, workerNames, workerSecrets } from '../../shared/config/worker-config.ts'
import { isLoopbackUrl, parseNetwork } from '../../shared/protocol/ip-address.ts'
import { nearestName } from '../config/suggest.ts'
import type { Check, Finding } from '../doctor/check.ts'
import { bucketBinding, hasNamespace, kvBinding, routesOf, textOf, type WranglerFile } from './wrangler-file.ts'

/** What the origin's configuration says that the worker has to agree with. */
export interface OriginSide {
  /** `bucket.s3_url`; undefined: a folder. */
  readonly s3Url: string | undefined
  /** Address of the bucket in redirects. */
  readonly bucketUrl: string
  /** `bucket.prefix`. */
  readonly prefix: string | undefined
  readonly region: string
  /** What keeps edges from following its rules of access; undefined: nothing. */
  readonly accessFault: string | undefined
}

export interface DeployProbes {
  readonly file: WranglerFile
  /** Path of the file. */
  readonly path: string
  /** Path of the worker's program. */
  readonly main: string
  readonly origin: OriginSide
  /** As `2026-10-01`. */
  readonly today: string
  /** Builds the worker; its size in bytes after gzip. */
  readonly bundleBytes: () => Promise<number>
}

/** The date whose behaviour the worker is tested with. */
export const testedDate = '2026-10-01'

const mib = 1024 * 1024

/** Bytes after gzip that the platform takes, with its free plan and with any other. */
const [freeLimit, paidLimit] = [3 * mib, 10 * mib]

const refused = 'the worker answers every request with an error'

export function deployChecks({ file, path, main, origin, today, bundleBytes }: DeployProbes): readonly Check[] {
  const name = basename(path)
  return [
    {
      name: 'program',
      why: 'something else than Mirrorball’s worker would be deployed',
      mend: `set main in ${name} to ${main}`,
      run: async () => {
        const named = resolve(path, '..', file.main)
        return named === main ? { ok: file.main } : { fault: `main is ${named}` }
      },
    },
    {
      name: 'compatibility-date',
      why: 'with another date the platform behaves in ways that the worker was not tested with',
      mend: `set compatibility_date to ${testedDate}`,
      run: async () => {
        const date = file.compatibility_date
        if (date < testedDate) return { fault: `${date} is before ${testedDate}` }
        return date > today ? { fault: `${date} is in the future, and deploying is refused` } : { ok: date }
      },
    },
    {
      name: 'size',
      why: 'the platform refuses a worker that is too large',
      mend: 'take a paid plan',
      run: async () => {
        const bytes = await bundleBytes()
        const size = `${(bytes / 1024).toFixed(1)} KiB after gzip`
        if (bytes > paidLimit) return { fault: `${size}, and no plan takes more than 10 MiB` }
        return bytes > freeLimit ? { fault: `${size}, and the free plan takes 3 MiB` } : { ok: size }
      },
    },
    { name: 'variables', why: refused, mend: `correct them in ${name}`, run: async () => variables(file) },
    {
      name: 'secrets',
      why: 'the file is shown to whoever reads the repository, and variables to whoever sees the dashboard',
      mend: 'take them out of the file, make new ones where it was shared, and set them by wrangler secret put',
      run: async () => {
        const written = workerSecrets.filter((each) => Object.hasOwn(file.vars, each))
        return written.length > 0 ? { fault: `in the file: ${written.join(', ')}` } : { ok: 'none in the file' }
      },
    },
    {
      name: 'bucket',
      why: 'the worker would serve another bucket than the one that the origin writes to',
      mend: 'see that bucket_name of the binding BUCKET is the bucket at the end of bucket.s3_url',
      run: async () => bucket(file, origin),
    },
    {
      name: 'bucket-url',
      why: 'clients that are sent there for layers get none',
      mend: `set BUCKET_URL to ${origin.bucketUrl}`,
      follows: ['variables'],
      run: async () => bucketUrl(file, origin),
    },
    {
      name: 'prefix',
      why: 'the worker would look where the origin writes nothing, and serve nobody',
      mend:
        origin.prefix === undefined
          ? 'take BUCKET_PREFIX out, or set bucket.prefix at the origin'
          : `set BUCKET_PREFIX to ${origin.prefix}`,
      run: async () => prefix(file, origin),
    },
    {
      name: 'kv',
      why: 'wrangler refuses to deploy a binding to a namespace that is not there',
      mend: 'create the namespace and put its id into the binding MANIFESTS',
      run: async () => {
        const [other] = file.kv_namespaces
        if (kvBinding(file) === undefined && other !== undefined)
          return {
            fault: `a namespace is bound as ${other.binding}, and the worker knows MANIFESTS`,
            mend: 'name the binding MANIFESTS',
          }
        if (kvBinding(file) === undefined) return { ok: 'none: nothing is known while the bucket is in error' }
        return hasNamespace(file) ? { ok: 'MANIFESTS' } : { fault: 'MANIFESTS has no id of a namespace yet' }
      },
    },
    {
      name: 'origin-url',
      why: 'pushes, sign-ins and misses end in 503',
      mend: 'set ORIGIN_URL to the https address by which the origin is reached from everywhere',
      follows: ['variables'],
      run: async () => originUrl(file),
    },
    {
      name: 'routes',
      why: 'no request reaches the worker',
      mend: 'set routes = [{ pattern = "registry.example.com", custom_domain = true }] with the name that clients use',
      run: async () => routes(file),
    },
    {
      name: 'access',
      why: 'a worker is reached from everywhere, and answers 503 where rules are missing or were made for one machine',
      mend: 'set access.anonymous and access.delete at the origin, and restart it',
      run: async () =>
        origin.accessFault === undefined ? { ok: 'as the origin publishes it' } : { fault: origin.accessFault },
    },
  ]
}

function variables(file: WranglerFile): Finding {
  const bound = { ...(bucketBinding(file) && { BUCKET: {} }), ...(kvBinding(file) && { MANIFESTS: {} }) }
  // They are set apart, and have to look like secrets here.
  const secrets = Object.fromEntries(workerSecrets.map((each) => [each, '-'.repeat(32)]))
  const settings = readWorkerSettings({ ...file.vars, ...bound, ...secrets })
  const faults = 'faults' in settings ? [...settings.faults] : []
  for (const name of Object.keys(file.vars).filter((each) => !workerNames.includes(each))) {
    const nearest = nearestName(name, workerNames)
    faults.push(`${name}: there is no such variable${nearest === undefined ? '' : `; did you mean ${nearest}?`}`)
  }
  if ('ON_LOOPBACK' in settings && settings.ON_LOOPBACK)
    faults.push('ON_LOOPBACK: is for a worker that no other machine reaches')
  return faults.length > 0 ? { fault: faults.join('; ') } : { ok: Object.keys(file.vars).join(', ') }
}

function bucket(file: WranglerFile, { s3Url, bucketUrl }: OriginSide): Finding {
  const binding = bucketBinding(file)
  const [other] = file.r2_buckets
  if (binding === undefined && other !== undefined)
    return {
      fault: `an R2 bucket is bound as ${other.binding}, and the worker knows BUCKET`,
      mend: 'name the binding BUCKET',
    }
  if (binding === undefined)
    return textOf(file, 'BUCKET_URL') === undefined
      ? { skipped: 'there is none' }
      : { ok: 'read over HTTP, at BUCKET_URL' }
  const r2 = s3Url === undefined ? undefined : r2Bucket(s3Url)
  if (r2 === undefined)
    return {
      fault: `the worker reads the R2 bucket ${binding.bucket_name ?? ''}, and the origin writes to ${s3Url ?? 'a folder'}`,
      mend: `set bucket.s3_url at the origin to the S3 address of that R2 bucket; or take [[r2_buckets]] out and set BUCKET_URL to ${bucketUrl}`,
    }
  if (r2 !== binding.bucket_name)
    return { fault: `the worker reads the R2 bucket ${binding.bucket_name ?? ''}, and the origin writes to ${r2}` }
  return { ok: `R2, ${r2}` }
}

function prefix(file: WranglerFile, origin: OriginSide): Finding {
  const said = textOf(file, 'BUCKET_PREFIX')
  const shown = (value: string | undefined) => value ?? 'not set'
  return said === origin.prefix
    ? { ok: shown(said) }
    : { fault: `BUCKET_PREFIX is ${shown(said)}, and bucket.prefix is ${shown(origin.prefix)}` }
}

/** The bucket's name; undefined where the address is none of R2. */
export function r2Bucket(s3Url: string): string | undefined {
  const { hostname, pathname } = new URL(s3Url)
  return hostname.endsWith('.r2.cloudflarestorage.com') ? pathname.slice(1) : undefined
}

function bucketUrl(file: WranglerFile, origin: OriginSide): Finding {
  const url = textOf(file, 'BUCKET_URL')
  const publicUrl = textOf(file, 'BUCKET_PUBLIC_URL')
  if (url === undefined && publicUrl !== undefined)
    return { ok: `not set: the worker sends blobs itself, unless everyone may pull everything, at ${publicUrl}` }
  if (url === undefined) return { ok: 'not set: the worker sends blobs itself' }
  if (isLoopbackUrl(url))
    return {
      fault: `${url} is reached from its own machine alone`,
      mend: 'set bucket.url, and BUCKET_URL to the same, to the bucket’s public address',
    }
  if (url !== origin.bucketUrl && url !== origin.s3Url)
    return { fault: `BUCKET_URL is ${url}, and the origin’s bucket is at ${origin.bucketUrl}` }
  const region = textOf(file, 'BUCKET_REGION') ?? 'auto'
  if (region !== origin.region)
    return {
      fault: `BUCKET_REGION is ${region}, and bucket.region is ${origin.region}`,
      mend: `set BUCKET_REGION to ${origin.region}: signatures name it`,
    }
  return { ok: url }
}

function originUrl(file: WranglerFile): Finding {
  const url = textOf(file, 'ORIGIN_URL') ?? ''
  if (!URL.canParse(url)) return { fault: 'ORIGIN_URL is not set' }
  const { hostname, protocol } = new URL(url)
  if (/(?:^|\.)example\.(?:com|net|org)$/.test(hostname)) return { fault: `${url} is the example that stood there` }
  if (isLoopbackUrl(url)) return { fault: `${url} is reached from its own machine alone` }
  if (parseNetwork(hostname.replace(/^\[|\]$/g, '')) !== undefined)
    return { fault: `${url} is an IP address, which a worker may not ask: give the origin a name` }
  if (protocol !== 'https:') return { fault: `${url} is plain HTTP: passwords and tokens could be read on the way` }
  if (routesOf(file).some(({ pattern }) => hostOf(pattern) === hostname))
    return { fault: `${url} is the worker’s own address: it would ask itself` }
  return { ok: url }
}

function routes(file: WranglerFile): Finding {
  const all = routesOf(file)
  const narrow = all.filter(({ pattern, custom_domain: isDomain }) => !isDomain && !pattern.endsWith('/*'))
  if (narrow.length > 0)
    return {
      fault: `${narrow.map(({ pattern }) => pattern).join(', ')} is one path alone`,
      mend: 'end the pattern of a route with /*, or give the host alone with custom_domain = true',
    }
  if (all.length > 0) return { ok: all.map(({ pattern }) => pattern).join(', ') }
  return file.workers_dev === false
    ? { fault: 'there is no route, and workers_dev is false' }
    : { ok: 'workers.dev alone' }
}

function hostOf(pattern: string): string {
  return pattern.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
}
