// Imports of files that are wrong: a small image as the files of its layout, to be spoiled, and what an import of it is
// to leave alone.

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { manifestText, ociManifestType } from '../http-client.ts'
import { sha256 } from '../image.ts'
import { filesIn } from '../registry-content.ts'
import { temporaryFolder } from '../stack.ts'
import { linesOf, runVerb } from '../verbs.ts'

export const [config, layer] = ['{"os":"linux"}', 'a layer']
export const manifest = manifestText(config, [layer])
/** Of a layout, by their paths. */
export const files: Readonly<Record<string, string>> = {
  'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
  'index.json': indexOf(manifest),
  ...Object.fromEntries([config, layer, manifest].map((text) => [pathOf(text), text])),
}

/** A bucket with one image in it, into which files are imported that are to be refused. */
export interface ImportTrials {
  readonly dataFolder: string
  readonly bucketFolder: string
  /** An empty folder. */
  readonly newFolder: () => Promise<string>
  /** Refused with and without a name, for the same reason, and nothing has changed. */
  readonly expectRefused: (file: string, reason: RegExp, ...options: readonly string[]) => Promise<void>
  readonly expectUnchanged: () => Promise<void>
  /** From now on the bucket is to stay as it is. */
  readonly acceptBucket: () => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startImportTrials(): Promise<ImportTrials> {
  const { path: dataFolder, remove } = await temporaryFolder()
  const bucketFolder = join(dataFolder, 'bucket')
  const good = join(dataFolder, 'good')
  await writeFiles(good, files)
  // So that there is something that could be damaged.
  await linesOf(runVerb(dataFolder, 'import', good, 'good/image'))
  let before = await filesIn(bucketFolder)
  const expectUnchanged = async () => expect(await filesIn(bucketFolder)).toEqual(before)
  return {
    dataFolder,
    bucketFolder,
    newFolder: () => mkdtemp(join(dataFolder, 'trial-')),
    async expectRefused(file, reason, ...options) {
      for (const target of [['bad/image'], []]) {
        const { code, stdout, stderr } = await runVerb(dataFolder, 'import', file, ...target, ...options)
        expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(reason) })
      }
      await expectUnchanged()
    },
    expectUnchanged,
    async acceptBucket() {
      before = await filesIn(bucketFolder)
    },
    stop: remove,
  }
}

export function indexOf(...contents: readonly string[]): string {
  const manifests = contents.map((text) => ({
    mediaType: ociManifestType,
    digest: sha256(text),
    size: Buffer.byteLength(text),
  }))
  return JSON.stringify({ schemaVersion: 2, manifests })
}

export function pathOf(content: string): string {
  return `blobs/${sha256(content).replace(':', '/')}`
}

export async function writeFiles(root: string, contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
}
