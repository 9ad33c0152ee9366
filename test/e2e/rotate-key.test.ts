// The key of tokens is changed beside a running registry: clients stay signed in, unless the key was lost.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { pushImage } from '../support/http-client.ts'
import { bearer, settingsWithUsers, signIn } from '../support/access/signed-in.ts'
import { eventually } from '../support/stack.ts'
import { runVerb } from '../support/verbs.ts'

let faces: Faces

beforeAll(async () => {
  faces = await startFaces(settingsWithUsers)
  const admin = await signIn(faces.url('origin'), faces.dataFolder, 'admin', ['private/app'])
  await pushImage(faces.url('origin'), 'private/app', 'v1', 'secret', bearer(admin))
})

afterAll(() => faces.stop())

const newToken = () => signIn(faces.url('origin'), faces.dataFolder, 'reader', ['private/app'])
const statusesOf = (token: string) =>
  Promise.all(
    faceNames.map(async (face) => {
      const answer = await fetch(`${faces.url(face)}/v2/private/app/manifests/v1`, { headers: bearer(token) })
      await answer.body?.cancel()
      return answer.status
    }),
  )
const isGoodEverywhere = async (token: string) => (await statusesOf(token)).every((status) => status === 200)

/** The id of the key that signed a token. */
const keyOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid

test('what the key before signed stays good at every face, and a lost key ends at the origin at once', async () => {
  const before = await newToken()
  expect(await statusesOf(before)).toEqual([200, 200, 200])

  const rotated = await runVerb(faces.dataFolder, 'token', 'rotate-key')
  expect(rotated).toMatchObject({ code: 0, stderr: '' })
  let after = await newToken()
  await eventually('the origin signs with the new key', async () => {
    after = await newToken()
    return keyOf(after) === rotated.stdout.trim()
  })
  await eventually('the new key is known everywhere', () => isGoodEverywhere(after))
  expect(await statusesOf(before)).toEqual([200, 200, 200])

  const lost = await runVerb(faces.dataFolder, 'token', 'rotate-key', '--lost')
  await eventually('the lost key is good for nothing at the origin', async () => (await statusesOf(after))[0] === 401)
  const fresh = await newToken()
  expect(keyOf(fresh)).toBe(lost.stdout.trim())
  await eventually('the newest key is known everywhere', () => isGoodEverywhere(fresh))
  // To know it the edges looked at the keys, and saw that the other one is gone.
  expect(await statusesOf(after)).toEqual([401, 401, 401])
})
