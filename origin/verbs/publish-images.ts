// Brings IPFS in line with the bucket, and tells how.

import { isContentName, parseRepositoryName, type RepositoryName } from '../../shared/protocol/names.ts'
import { createPublisher } from '../../shared/registry/publish-image.ts'
import { type Reconciled, reconcileIpfs } from '../../shared/registry/reconcile-ipfs.ts'
import { contentStoreOf } from '../compose/ipfs.ts'
import type { VerbRun } from './run-verb.ts'

/** Returns what was done. @param only a repository, as it was typed */
export async function publishImages(run: VerbRun, only: string | undefined): Promise<string> {
  const { config, bucket, access, log, progress, wait } = run
  if (config.ipfs.backend === 'off') throw new Error('ipfs.backend is off; set it to embedded or kubo')
  const name = only === undefined ? undefined : parseName(only)
  const store = await contentStoreOf(config)
  const done = await reconcileIpfs(
    {
      bucket,
      access,
      publisher: createPublisher({ bucket, access, log, store, names: 'any' }),
      copies: config.ipfs.backend === 'kubo' ? store : undefined,
      onProgress: (done) => progress.show(summary(done)),
      onFault(name, digest, error) {
        progress.end()
        log.warn('left as it is', { name, digest }, error)
      },
    },
    name,
    wait,
  )
  if (name !== undefined && done.images === 0) throw new Error(`there is no repository ${name} in ${run.place}`)
  if (done.faults > 0) process.exitCode = 1
  return `${summary(done)}\n`
}

function summary({ images, repositories, published, rootless, withdrawn, faults }: Reconciled): string {
  const parts = [
    `${images} manifests in ${repositories} repositories`,
    `${published} published`,
    `${withdrawn} taken off IPFS`,
    `${rootless} without a CID`,
  ]
  if (faults > 0) parts.push(`${faults} damaged`)
  return parts.join(', ')
}

function parseName(text: string): RepositoryName {
  const name = parseRepositoryName(text)
  if (name !== undefined && !isContentName(name)) return name
  throw new Error(`${JSON.stringify(text)} is no name of a repository; say it without host and tag`)
}
