// The files of a layout in a folder.

import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { BadImage } from '../../shared/registry/image-source.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { fileBytes } from './file-bytes.ts'
import type { LayoutFiles } from './layout-source.ts'

/** Symbolic links in the folder are not followed: they could lead anywhere. */
export function layoutFolder(folder: string): LayoutFiles {
  return {
    async find(path) {
      const parts = path.split('/')
      for (const at of parts.keys()) {
        const part = parts.slice(0, at + 1).join('/')
        const found = await lstat(join(folder, part)).catch((error: unknown) => {
          if (isMissing(error)) return undefined
          throw error
        })
        if (found === undefined) return undefined
        const isLast = at === parts.length - 1
        if (!(isLast ? found.isFile() : found.isDirectory()))
          throw new BadImage(`its ${part} is no ${isLast ? 'regular file' : 'folder'}; links are not followed`)
        if (isLast) return { sizeBytes: found.size, open: () => fileBytes(join(folder, path)) }
      }
      return undefined
    },
  }
}
