// Files as a tar, the same bytes for the same files.

import { once } from 'node:events'
import { pack } from 'tar-stream'
import type { LayoutEntry } from './layout-entries.ts'

/** Reads the entries as the tar is read. */
export async function* tarOf(entries: AsyncIterable<LayoutEntry>): AsyncGenerator<Uint8Array, void, undefined> {
  const tar = pack()
  const writing = write(entries)
  // Whoever reads the tar hears of it.
  writing.catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))))
  yield* tar as AsyncIterable<Uint8Array>
  await writing

  async function write(entries: AsyncIterable<LayoutEntry>): Promise<void> {
    for await (const { path, sizeBytes, bytes } of entries) {
      const entry = tar.entry({ name: path, size: sizeBytes, mode: 0o644, mtime: new Date(0) })
      const ended = once(entry, 'finish')
      ended.catch(() => {}) // It fails with the tar, where the bytes do.
      for await (const chunk of bytes) if (!entry.write(chunk)) await once(entry, 'drain')
      entry.end(undefined)
      await ended
    }
    tar.finalize()
  }
}
