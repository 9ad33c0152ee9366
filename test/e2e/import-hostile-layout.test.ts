// Layouts that are wrong, or made to harm: an import says what is wrong with them, and changes nothing.

import { rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, test } from 'vitest'
import { manifestText, ociIndexType, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { writeTar } from '../support/image-files/hostile-tar.ts'
import {
  config,
  files,
  indexOf,
  layer,
  manifest,
  pathOf,
  type ImportTrials,
  startImportTrials,
  writeFiles,
} from '../support/image-files/import-trials.ts'

let trials: ImportTrials
let at: (name: string) => string
let layout: string

beforeAll(async () => {
  trials = await startImportTrials()
  return trials.stop
})

beforeEach(async () => {
  const folder = await trials.newFolder()
  at = (name) => join(folder, name)
  layout = at('layout')
})

describe('a layout', () => {
  const changed = (changes: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(
      Object.entries({ ...files, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
  const nested = (entry: object) =>
    JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [{ mediaType: ociManifestType, ...entry }] })
  const lying = nested({ digest: sha256(manifest), size: 1 })
  const sparse = nested({ digest: sha256('nowhere'), size: 7 })
  const wrongSize = manifest.replace(`"size":${layer.length}}]`, '"size":3}]')
  const longer = manifest.replace(`"size":${layer.length}}]`, '"size":300}]')
  const notTaken = JSON.stringify({ schemaVersion: 1 })

  test.each<[string, Readonly<Record<string, string | undefined>>, RegExp]>([
    ['that says no version', { 'oci-layout': undefined }, /oci-layout/],
    ['of another version', { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }, /version 1/],
    ['without an index', { 'index.json': undefined }, /index\.json/],
    ['whose index is no JSON', { 'index.json': '{' }, /index\.json/],
    ['whose index names no digest', { 'index.json': '{"manifests":[{"digest":"../../x","size":1}]}' }, /index\.json/],
    ['of no image', { 'index.json': '{"manifests":[]}' }, /0 images/],
    [
      'of two images',
      { 'index.json': indexOf(manifest, config) },
      new RegExp(`2 images.*--digest.*${sha256(config)}`, 's'),
    ],
    ['without its manifest', { [pathOf(manifest)]: undefined }, new RegExp(`lacks 1 .*${sha256(manifest)}`, 's')],
    [
      'without its blobs',
      { [pathOf(config)]: undefined, [pathOf(layer)]: undefined },
      new RegExp(`lacks 2 .*${sha256(config)}.*${sha256(layer)}`, 's'),
    ],
    ['whose manifest is another', { [pathOf(manifest)]: manifestText(layer, []) }, /is something else/],
    ['whose layer is another', { [pathOf(layer)]: 'b layer' }, new RegExp(`has the digest ${sha256('b layer')}`)],
    ['whose layer is cut off', { [pathOf(layer)]: 'a lay' }, /has 5 bytes, not 7/],
    ['whose layer goes on', { [pathOf(layer)]: 'a layer and more' }, /more than 7 bytes/],
    [
      'whose index lies about the size',
      { 'index.json': indexOf(manifest).replace(/"size":\d+/, '"size":9') },
      /bytes, not 9/,
    ],
    [
      'that says a layer is smaller',
      { [pathOf(wrongSize)]: wrongSize, 'index.json': indexOf(wrongSize) },
      /more than 3 bytes/,
    ],
    ['that says a layer is larger', { [pathOf(longer)]: longer, 'index.json': indexOf(longer) }, /7 bytes, not 300/],
    [
      'of an index that lies about a child',
      { [pathOf(lying)]: lying, 'index.json': indexOf(lying) },
      /not 1 as the index says/,
    ],
    ['of an index without its child', { [pathOf(sparse)]: sparse, 'index.json': indexOf(sparse) }, /lacks 1/],
    [
      'of no manifest that we know',
      { [pathOf(notTaken)]: notTaken, 'index.json': indexOf(notTaken) },
      /cannot be taken/,
    ],
  ])('%s', async (_, changes, reason) => {
    await writeFiles(layout, changed(changes))
    await trials.expectRefused(layout, reason)
    const tar = at('layout.tar')
    await writeTar(tar, async (to) => {
      for (const [name, text] of Object.entries(changed(changes))) to.entry({ name }, text)
    })
    await trials.expectRefused(tar, reason)
  })

  test('an image that is not in it', async () => {
    await writeFiles(layout, files)
    await trials.expectRefused(layout, /choose one by --digest/, '--digest', sha256('another'))
  })

  test.each([pathOf(layer), 'blobs/sha256', 'blobs', 'index.json'])('with a symbolic link at %s', async (path) => {
    const elsewhere = at('elsewhere')
    await writeFiles(elsewhere, files)
    await writeFiles(layout, files)
    await rm(join(layout, path), { recursive: true })
    await symlink(join(elsewhere, path), join(layout, path))
    await trials.expectRefused(layout, /links are not followed/)
  })

  test('that is larger than images may be', async () => {
    const huge = manifest.replace(`"size":${layer.length}}]`, '"size":9000000000000}]')
    await writeFiles(layout, changed({ [pathOf(huge)]: huge, 'index.json': indexOf(huge) }))
    await trials.expectRefused(layout, /is the limit here/)
  })
})
