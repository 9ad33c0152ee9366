// What the load asks for: a repository with many tags, each of a manifest of its own, and many small blobs.

import pMap from 'p-map'
import { manifestText, ociManifestType, pushBlob, putManifest } from '../test/support/http-client.ts'

export const manyTags = 1000

export interface ManyTags {
  readonly manifestPaths: readonly string[]
  readonly blobPaths: readonly string[]
}

/** Pushes 1,000 tags, whose manifests are of about 2 KB, as images with some layers have, and 1,000 blobs of 1 KiB. */
export async function pushManyTags(
  base: string,
  name: string,
  headers: Record<string, string> = {},
): Promise<ManyTags> {
  const config = '{}'
  await pushBlob(base, name, config, headers)
  const paths = await pMap(
    Array.from({ length: manyTags }, (_, at) => at),
    async (at) => {
      const layer = `layer ${at} `.padEnd(1024, '.')
      const digest = await pushBlob(base, name, layer, headers)
      const text = manifestText(config, [layer], { annotations: { about: `tag ${at} `.padEnd(1400, '.') } })
      const response = await putManifest(base, name, `tag-${at}`, text, ociManifestType, headers)
      if (response.status !== 201) throw new Error(`a manifest was answered ${response.status}`)
      return { manifest: `/v2/${name}/manifests/tag-${at}`, blob: `/v2/${name}/blobs/${digest}` }
    },
    { concurrency: 8 },
  )
  return { manifestPaths: paths.map(({ manifest }) => manifest), blobPaths: paths.map(({ blob }) => blob) }
}
