// What every manifest cache does, as long as it does not forget. Runs on Node and in workerd.

import { beforeEach, describe, expect, test } from 'vitest'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import { digestFrom } from '../../shared/protocol/digest.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'

const [library, other] = ['library/a', 'library/b'] as RepositoryName[] as [RepositoryName, RepositoryName]
const latest = 'latest' as Tag
const [first, second] = [digestFrom('sha256', '1'.repeat(64)), digestFrom('sha512', '2'.repeat(128))]

export function manifestCacheContract(adapter: string, make: () => Promise<ManifestCache>): void {
  describe(`a manifest cache: ${adapter}`, () => {
    let cache: ManifestCache

    beforeEach(async () => {
      cache = await make()
    })

    test('knows nothing at first', async () => {
      expect(await cache.manifest(library, first)).toBeUndefined()
      expect(await cache.lastTag(library, latest)).toBeUndefined()
    })

    test('gives back bytes and media type as they were', async () => {
      const bytes = new Uint8Array([0, 255, 123, 10, 200])
      await cache.keepManifest(library, first, { mediaType: 'application/vnd.oci.image.index.v1+json', bytes })
      const known = await cache.manifest(library, first)
      expect(known?.mediaType).toBe('application/vnd.oci.image.index.v1+json')
      expect([...(known?.bytes ?? [])]).toEqual([...bytes])
    })

    test('keeps names apart: what one repository has says nothing of another', async () => {
      await cache.keepManifest(library, first, { mediaType: 'a/b', bytes: new Uint8Array([1]) })
      await cache.keepLastTag(library, latest, first)
      expect(await cache.manifest(other, first)).toBeUndefined()
      expect(await cache.manifest(library, second)).toBeUndefined()
      expect(await cache.lastTag(other, latest)).toBeUndefined()
    })

    test('the last tag is what was kept last', async () => {
      await cache.keepLastTag(library, latest, first)
      await cache.keepLastTag(library, latest, second)
      expect(await cache.lastTag(library, latest)).toBe(second)
    })
  })
}
