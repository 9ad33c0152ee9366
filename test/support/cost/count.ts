// Every kind of request, asked once in each state that makes a difference.

import { type Counted, layersOfAnImage, type MeasuredRegistry, type PushedImage } from './measured.ts'

const path = (what: string) => `/v2/public/app/${what}`

export interface Counts {
  /** Single requests. */
  readonly requests: readonly Counted[]
  readonly push: Counted
  /** All that a client asks the worker for a pull. */
  readonly pulls: readonly Counted[]
}

export async function countRequests({ ask, count, push, credentials, forCatalog }: MeasuredRegistry): Promise<Counts> {
  /** An isolate that has read the rules of access, as it does once a minute, and nothing else. */
  const started = async (isolate: string) => {
    await ask(isolate, '/v2/')
    return isolate
  }
  const one = (what: string, isolate: string, asked: string, init: Parameters<typeof ask>[2] = {}, wanted = 200) =>
    count(what, async () => {
      const answer = await ask(isolate, asked, init)
      if (answer.status !== wanted) throw new Error(`${what} was answered ${answer.status}: ${await answer.text()}`)
      await answer.arrayBuffer()
    })

  await started('push')
  // An origin looks once what its server can do.
  await push('before')
  let image: PushedImage | undefined
  const pushed = await count(`push of an image of ${layersOfAnImage} layers`, async () => {
    image = await push('counted')
  })
  if (image === undefined) throw new Error('nothing was pushed')
  const { tag, digest, blobs } = image
  const [layer = '', other = ''] = blobs
  const head = { method: 'HEAD' }

  const [byTag, byDigest, elsewhere, blobsAt] = [
    await started('by tag'),
    await started('by digest'),
    await started('elsewhere'),
    await started('blobs'),
  ]
  const another = await push('another')
  const requests = [
    await one('the first request of an isolate, for the rules of access', 'new', '/v2/', {}, 401),
    await one('`/v2/`', byTag, '/v2/', {}, 401),
    await one('`/token`, anonymous', byTag, '/token?service=mirrorball'),
    await one('`/token`, signed in', byTag, '/token?service=mirrorball', { headers: credentials }),
    await one('manifest by tag, which nobody asked for before', byTag, path(`manifests/${tag}`)),
    await one('manifest by tag, from KV', elsewhere, path(`manifests/${tag}`)),
    await one('manifest by tag, from memory', byTag, path(`manifests/${tag}`)),
    await one('the same by HEAD', byTag, path(`manifests/${tag}`), head),
    await one('manifest by digest, which nobody asked for before', byDigest, path(`manifests/${another.digest}`)),
    await one('manifest by digest, from KV', elsewhere, path(`manifests/${another.digest}`)),
    await one('manifest by digest, from memory', byDigest, path(`manifests/${another.digest}`)),
    await one('tag that is not there', byTag, path('manifests/none'), {}, 404),
    await one('blob, redirected', blobsAt, path(`blobs/${layer}`), {}, 307),
    await one('blob, redirected again within a minute', blobsAt, path(`blobs/${layer}`), {}, 307),
    await one('blob by HEAD', blobsAt, path(`blobs/${other}`), head),
    await one('tags list', byTag, path('tags/list')),
    await one('referrers', byTag, path(`referrers/${digest}`)),
    await one('catalog of one repository', byTag, '/v2/_catalog', { headers: forCatalog }),
  ]

  const third = await push('third')
  await started('cold')
  const pull = async (isolate: string, { tag, digest, blobs }: PushedImage) => {
    await ask(isolate, '/v2/')
    await ask(isolate, '/token?service=mirrorball&scope=repository:public/app:pull')
    await ask(isolate, path(`manifests/${tag}`), head)
    await ask(isolate, path(`manifests/${digest}`))
    for (const blob of blobs) await ask(isolate, path(`blobs/${blob}`))
  }
  const pulls = [
    await count('the first pull anywhere', () => pull('cold', third)),
    await count('by an isolate that never had it', () => pull('another isolate', third)),
    await count('by an isolate that had it within a minute', () => pull('cold', third)),
  ]
  return { requests, push: pushed, pulls }
}
