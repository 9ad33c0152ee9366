// The registry whose costs are counted: a worker with R2 and KV that counts what it does, before an origin whose requests to
// R2 pass a proxy that counts them.

import { readFile } from 'node:fs/promises'
import { accessKey } from '../../../shared/layout/keys.ts'
import { type Operations, operationsOf, s3Operations, sum } from './operations.ts'
import { basic, bearer, makePersonalToken, settingsWithUsers, tokenFrom } from '../access/signed-in.ts'
import { startLocalCloudflare } from '../bucket/local-cloudflare.ts'
import { startS3Proxy } from '../bucket/s3-proxy.ts'
import { s3Settings, signingVariables } from '../faces/workers-on-r2.ts'
import { startPassingProxy } from '../http/passing-proxy.ts'
import { manifestText, ociManifestType } from '../http-client.ts'
import { sha256 } from '../image.ts'
import { anyPorts, startPart, temporaryFolder, withChildren } from '../stack.ts'

const edgeKey = 'a-key-of-edges-that-only-tests-know-of'
const name = 'public/app'

export const layersOfAnImage = 5

/** What a line of the page is about. */
export interface Counted {
  readonly what: string
  readonly worker: Operations
  /** Of the origin, at R2. */
  readonly origin: Operations
}

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface MeasuredRegistry {
  /** Asks an isolate of the worker. What it takes is added to what is counted. */
  readonly ask: (isolate: string, path: string, asked?: Asked) => Promise<Response>
  /** What the work takes. */
  readonly count: (what: string, work: () => Promise<unknown>) => Promise<Counted>
  /** Pushes an image of five layers as a client does that looks first what is there. */
  readonly push: (seed: string) => Promise<PushedImage>
  /** Of who may push: what a token is asked for with, and one for the catalog. */
  readonly credentials: Readonly<Record<string, string>>
  readonly forCatalog: Readonly<Record<string, string>>
  /** Milliseconds of CPU that the worker's process has used, with its R2 and KV. */
  readonly workerCpuMs: () => Promise<number>
  readonly stop: () => Promise<void>
}

export interface PushedImage {
  readonly tag: string
  readonly digest: string
  /** Config and layers. */
  readonly blobs: readonly string[]
}

export async function startMeasuredRegistry(): Promise<MeasuredRegistry> {
  const ends: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const end of ends.toReversed()) await end()
  }
  try {
    const folder = await temporaryFolder()
    ends.push(folder.remove)
    const cloud = await startLocalCloudflare('test/workerd/counted-worker.ts')
    ends.push(cloud.stop)
    const s3 = await startS3Proxy(cloud.s3)
    ends.push(() => s3.stop())
    const originReady = Promise.withResolvers<string>()
    const uploads = await startPassingProxy(originReady.promise)
    ends.push(() => uploads.stop())
    const origin = await startPart('origin', {
      'data-dir': folder.path,
      ...anyPorts,
      ...s3Settings({ s3: s3.access, bucketUrl: `${s3.access.endpoint}/${s3.access.bucket}` }),
      ...settingsWithUsers,
      'edge-key': edgeKey,
      'origin-public-url': uploads.url,
    })
    originReady.resolve(origin.url)
    ends.push(() => origin.stop())
    const { worker } = await cloud.deploy({
      worker: { ORIGIN_URL: origin.url, EDGE_KEY: edgeKey, ...signingVariables(cloud) },
    })
    const secret = await makePersonalToken(folder.path, 'admin')
    const { token } = await tokenFrom(origin.url, [`repository:${name}:pull,push,delete`], basic('admin', secret))
    const catalog = await tokenFrom(origin.url, ['registry:catalog:*'], basic('admin', secret))

    let counted: Operations[] = []
    const ask: MeasuredRegistry['ask'] = async (isolate, path, { headers, ...asked } = {}) => {
      const all = { ...headers, 'Counted-Isolate': isolate }
      const answer = await fetch(`${worker}${path}`, { ...asked, headers: all, redirect: 'manual' })
      counted.push(operationsOf(answer.headers.get('Counted') ?? ''))
      return answer
    }

    const push = async (seed: string): Promise<PushedImage> => {
      const headers = bearer(token)
      const layers = Array.from({ length: layersOfAnImage }, (_, at) => `layer ${at} of ${seed}`)
      const config = JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [] },
        seed,
      })
      const blobs = [...layers, config].map((content) => ({ content, digest: sha256(content) }))
      for (const { content, digest } of blobs) {
        const head = await ask('push', `/v2/${name}/blobs/${digest}`, { method: 'HEAD', headers })
        const begun = await ask('push', `/v2/${name}/blobs/uploads/`, { method: 'POST', headers })
        const location = `${begun.headers.get('Location')}&digest=${digest}`
        const put = await fetch(location, { method: 'PUT', body: content })
        if (head.status !== 404 || put.status !== 201) throw new Error(`${head.status}, ${put.status}`)
      }
      const body = manifestText(config, layers)
      const typed = { ...headers, 'Content-Type': ociManifestType }
      const done = await ask('push', `/v2/${name}/manifests/${seed}`, { method: 'PUT', headers: typed, body })
      if (done.status !== 201) throw new Error(`the manifest was answered ${done.status}: ${await done.text()}`)
      return { tag: seed, digest: sha256(body), blobs: blobs.map(({ digest }) => digest) }
    }

    return {
      ask,
      push,
      credentials: basic('admin', secret),
      forCatalog: bearer(catalog.token),
      async count(what, work) {
        counted = []
        const before = s3.calls.length
        await work()
        return { what, worker: sum(counted), origin: s3Operations(s3.calls.slice(before).filter(isAsked)) }
      },
      workerCpuMs: async () => cpuMsOf('workerd'),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Whether a request makes the origin do it: it looks for the rules that it published by itself, once a minute. */
function isAsked(call: string): boolean {
  return !call.includes(accessKey)
}

/** Of processes of this program that we started, together (Linux). */
async function cpuMsOf(program: string): Promise<number> {
  const ticks = (await withChildren(process.pid)).map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const [, comm, rest = ''] = /\((.*)\) (.*)/s.exec(stat) ?? []
    const fields = rest.split(' ')
    // utime and stime; of a hundred ticks a second.
    return comm === program ? (Number(fields[11]) + Number(fields[12])) * 10 : 0
  })
  return (await Promise.all(ticks)).reduce((total, each) => total + each, 0)
}
