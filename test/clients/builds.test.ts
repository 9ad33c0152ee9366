// Builds against the registry: docker buildx keeps its cache there and pushes what it built, and buildah builds upon an
// image that it pulls.

import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { publishedIndex } from '../support/blob-traffic.ts'
import { type Buildx, neededForBuildx, startBuildx } from '../support/clients/buildkit.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { startTool } from '../support/clients/podman-buildah.ts'
import { startRegctl } from '../support/clients/layout-clients.ts'
import { describeWith, findClient } from '../support/clients/programs.ts'
import { type Face, faceNames, type Faces, slugOf, startFaces } from '../support/faces/faces.ts'
import { temporaryFolder } from '../support/stack.ts'

/** What is built is another thing each time, unless it comes from a cache. */
const dockerfile = `
FROM scratch AS build
COPY busybox /busybox
RUN ["/busybox", "sh", "-c", "/busybox head -c 100000 /dev/urandom > /made"]
FROM scratch
COPY --from=build /made /made
`

/** Manifests that BuildKit can put a cache into; the last two are an index that names layers. */
const cacheForms = {
  'an image manifest': 'image-manifest=true,oci-mediatypes=true',
  'an index': 'image-manifest=false,oci-mediatypes=true',
  "a manifest list in Docker's words": 'image-manifest=false,oci-mediatypes=false',
} as const

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

describeWith([...neededForBuildx, 'busybox', 'regctl'], 'docker buildx', () => {
  let faces: Faces
  let buildx: Buildx
  let folder: string

  beforeAll(async () => {
    faces = await startFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    buildx = await startBuildx()
    return () => buildx.stop()
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    await writeFile(join(folder, 'Dockerfile'), dockerfile)
    await copyFile(findClient('busybox') ?? '', join(folder, 'busybox'))
    return temporary.remove
  })

  const at = (face: Face, name: string) => referenceAt(faces.url(face), `${name}:latest`)

  /** @returns the file that the build made */
  const build = async (...options: readonly string[]) => {
    const output = await mkdtemp(join(folder, 'built-'))
    await buildx.build(folder, `--output=type=local,dest=${output}`, ...options)
    return readFile(join(output, 'made'))
  }

  describe.each(Object.keys(cacheForms) as readonly (keyof typeof cacheForms)[])('with a cache in %s', (form) => {
    const name = `cache/${form.replaceAll(/\W+/g, '-').toLowerCase()}`
    let made: Buffer

    beforeAll(async () => {
      await buildx.forget()
      made = await build(`--cache-to=type=registry,ref=${at('origin', name)},mode=max,${cacheForms[form]}`)
    })

    test.each(faceNames)('builds the same from it at the %s', async (face) => {
      await buildx.forget()
      const given = faces.watchBlobs(face)

      expect(await build(`--cache-from=type=registry,ref=${at(face, name)}`)).toEqual(made)

      await expect.poll(given, soon).not.toEqual([])
    })
  })

  test('builds something else without a cache', async () => {
    await buildx.forget()
    const made = await build()
    await buildx.forget()
    expect(await build()).not.toEqual(made)
  })

  test('pushes images of two architectures with attestations, and all is pulled whole from every face', async () => {
    const context = await mkdtemp(join(folder, 'context-'))
    await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n')

    await buildx.build(
      context,
      `--tag=${at('origin', 'built')}`,
      '--push',
      '--platform=linux/amd64,linux/arm64',
      '--provenance=true',
    )

    const published = await publishedIndex(faces.url('origin'), 'built', 'latest')
    expect(published.images).toHaveLength(4)
    const regctl = await startRegctl()
    try {
      for (const face of faceNames) {
        const { indexDigest } = await regctl.pullIndex(at(face, 'built'), [])
        expect(indexDigest).toBe(published.digest)
      }
    } finally {
      await regctl.stop()
    }
  })
})

describeWith(['buildah', 'busybox'], 'buildah', () => {
  let faces: Faces
  let buildah: Awaited<ReturnType<typeof startTool>>
  let folder: string

  beforeAll(async () => {
    faces = await startFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    buildah = await startTool('buildah')
    return () => buildah.stop()
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    await copyFile(findClient('busybox') ?? '', join(folder, 'busybox'))
    await publish('base', 'FROM scratch\nCOPY busybox /busybox\n')
    return temporary.remove
  })

  const at = (face: Face, name: string) => referenceAt(faces.url(face), `${name}:latest`)

  /** Builds and pushes, and leaves nothing here. */
  const publish = async (name: string, containerfile: string) => {
    await writeFile(join(folder, 'Containerfile'), containerfile)
    await buildah.run('build', '--isolation=chroot', '--tls-verify=false', `--tag=${name}`, folder)
    await buildah.run('push', '--tls-verify=false', name, `docker://${at('origin', name)}`)
    await buildah.run('rmi', '--all', '--force')
  }

  test.each(faceNames)('runs a step upon an image from the %s and pushes the result', async (face) => {
    const name = `upon/${slugOf(face)}`
    const run = 'RUN ["/busybox", "sh", "-c", "/busybox echo built > /made"]'

    await publish(name, `FROM ${at(face, 'base')}\n${run}\n`)

    const container = (await buildah.run('from', '--tls-verify=false', at(face, name))).trim()
    expect(await buildah.run('run', '--isolation=chroot', container, '/busybox', 'cat', '/made')).toBe('built\n')
    await buildah.run('rm', container)
  })
})
