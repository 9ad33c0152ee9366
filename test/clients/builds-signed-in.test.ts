// docker buildx at a registry with users: it builds upon what is private, keeps its cache there and pushes what it built,
// and says what is wrong where its user may not.

import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Buildx, neededForBuildx, startBuildx } from '../support/clients/buildkit.ts'
import { startCrane } from '../support/clients/layout-clients.ts'
import { describeWith, findClient, runClient } from '../support/clients/programs.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames, slugOf } from '../support/faces/faces.ts'
import { temporaryFolder } from '../support/stack.ts'

const small = 'FROM scratch\nCOPY Dockerfile /\n'

describeWith([...neededForBuildx, 'busybox', 'crane'], 'docker buildx at a registry with users', () => {
  let faces: ClosedFaces
  let buildx: Buildx
  let crane: Awaited<ReturnType<typeof startCrane>>
  let folder: string

  beforeAll(async () => {
    faces = await startClosedFaces()
  })

  afterAll(async () => {
    await faces.stop()
    expect(faces.failures()).toEqual([])
  })

  beforeAll(async () => {
    buildx = await startBuildx()
    return () => buildx.stop()
  })

  beforeAll(async () => {
    crane = await startCrane()
    return crane.stop
  })

  /** With crane, which asks nobody: docker would ask its daemon. */
  const login = (face: Face, user: string, password: string) =>
    runClient(
      'crane',
      ['auth', 'login', faces.host(face), `--username=${user}`, `--password=${password}`],
      buildx.credentials.environment,
    )

  const contextOf = async (dockerfile: string) => {
    const context = await mkdtemp(join(folder, 'context-'))
    await writeFile(join(context, 'Dockerfile'), dockerfile)
    return context
  }

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    const context = await contextOf('FROM scratch\nCOPY busybox /busybox\n')
    await copyFile(findClient('busybox') ?? '', join(context, 'busybox'))
    await login('origin', 'alice', passwords.alice)
    await buildx.build(context, `--tag=${faces.at('origin', 'team/base')}`, '--push', '--provenance=false')
    return temporary.remove
  })

  beforeEach(async () => {
    await buildx.credentials.signOut()
    await crane.signOut()
    await buildx.forget()
  })

  describe.each(faceNames)('the %s', (face) => {
    const slug = slugOf(face)
    const [base, built, cache] = ['team/base', `team/built/${slug}`, `team/cache/${slug}`]

    test('gives the private base, takes image and cache, and gives both again', async () => {
      // Another thing each time, unless it comes from the cache.
      const random = 'RUN ["/busybox", "sh", "-c", "/busybox head -c 100000 /dev/urandom > /made"]'
      const context = await contextOf(`FROM ${faces.at(face, base)}\n${random}\n`)
      const build = async (...options: readonly string[]) => {
        const output = await mkdtemp(join(folder, 'built-'))
        await buildx.build(context, `--output=type=local,dest=${output}`, '--provenance=false', ...options)
        return readFile(join(output, 'made'))
      }
      await login(face, 'alice', passwords.alice)

      const made = await build(
        `--output=type=image,name=${faces.at(face, built)},push=true`,
        `--cache-to=type=registry,ref=${faces.at(face, cache)},mode=max`,
      )
      await buildx.forget()
      expect(await build(`--cache-from=type=registry,ref=${faces.at(face, cache)}`)).toEqual(made)

      await crane.login(faces.host(face), 'alice', passwords.alice)
      expect((await crane.pull(faces.at(face, built))).diffIds).toHaveLength(2)
      await crane.login(faces.host(face), 'bob', passwords.bob)
      await expect(crane.pull(faces.at(face, built))).rejects.toThrow(/DENIED|403 Forbidden/)
    })

    const refused = {
      'a base': async () => buildx.build(await contextOf(`FROM ${faces.at(face, base)}\n`)),
      'a push': async () =>
        buildx.build(await contextOf(small), `--tag=${faces.at(face, `team/refused/${slug}`)}`, '--push'),
      'a cache': async () =>
        buildx.build(await contextOf(small), `--cache-to=type=registry,ref=${faces.at(face, `team/refused/${slug}`)}`),
    } as const

    test.each(Object.entries(refused))('is said to refuse %s, and why', async (_, attempt) => {
      await expect(attempt()).rejects.toThrow(/401 Unauthorized/)
      await login(face, 'bob', passwords.bob)
      await expect(attempt()).rejects.toThrow(/403 Forbidden/)
      await buildx.credentials.signOut()
      await login(face, 'alice', passwords.bob)
      await expect(attempt()).rejects.toThrow(/unauthorized: incorrect username or password/)
    })
  })
})
