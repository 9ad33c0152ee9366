// helm pushes a chart to the origin and pulls it through every face.

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { publishedImage, type PublishedImage } from '../support/blob-traffic.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { sha256 } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

const version = '1.2.3+build.4'
/** A tag has no plus sign. */
const tag = '1.2.3_build.4'

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

describeWith(['helm'], 'a chart', () => {
  let faces: Faces
  let folder: string
  let chart: string
  let published: PublishedImage
  const helm = (...args: readonly string[]) => runClient('helm', args, { HOME: folder })
  const at = (face: (typeof faceNames)[number]) => `oci://${new URL(faces.url(face)).host}/charts`

  beforeAll(async () => {
    faces = await startFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    await helm('create', join(folder, 'demo'))
    await helm('package', join(folder, 'demo'), '--version', version, '--destination', folder)
    chart = join(folder, `demo-${version}.tgz`)
    await helm('push', '--plain-http', chart, at('origin'))
    published = await publishedImage(faces.url('origin'), 'charts/demo', tag)
    return temporary.remove
  })

  test('is a layer as it was packaged', async () => {
    expect(published.blobs.map(({ digest }) => digest)).toContain(sha256(await readFile(chart)))
  })

  test.each(faceNames)('is pulled whole from the %s', async (face) => {
    const pulled = join(folder, face)
    await mkdir(pulled)
    const given = faces.watchBlobs(face)

    await helm('pull', '--plain-http', `${at(face)}/demo`, '--version', version, '--destination', pulled)

    expect(await readFile(join(pulled, `demo-${version}.tgz`))).toEqual(await readFile(chart))
    await expect.poll(given, soon).toEqual(published.blobs.map(({ digest }) => digest))
  })

  test.each(faceNames)('is found by a range of versions at the %s', async (face) => {
    const shown = await helm('show', 'chart', '--plain-http', `${at(face)}/demo`, '--version', '^1.0')
    expect(shown).toContain(`version: ${version}`)
  })

  test.each(faceNames)('becomes manifests of Kubernetes straight from the %s', async (face) => {
    const rendered = await helm('template', 'release', '--plain-http', `${at(face)}/demo`, '--version', version)
    expect(rendered).toContain('kind: Deployment')
  })
})
