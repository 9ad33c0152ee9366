// Documents that strangers push as manifests, over HTTP on each face: what is refused is stored nowhere, and what is taken
// comes back byte for byte.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackFaces } from '../support/faces/faces.ts'
import { manifestText, ociIndexType, ociManifestType, pushImage, putManifest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { ociCode } from '../support/http/raw-http.ts'
import { filesIn } from '../support/registry-content.ts'
import { type Stack, startStack } from '../support/stack.ts'

const limitBytes = 4 * 1024 * 1024
const seed = 'manifest input'
const imageOf = (extra: object) => manifestText(config, [], extra)
/** As `pushImage` makes it. */
const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, seed })
const image = imageOf({})
/** The image with this text among its fields: for what no JavaScript object can hold. */
const imageWith = (fields: string) => `${image.slice(0, -1)},${fields}}`
const configField = /"config":\{[^}]*\}/
const sized = (size: string) => image.replace(/"size":\d+/, `"size":${size}`)
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const descriptor = { mediaType: ociManifestType, digest: sha256('x'), size: 1 }

const refused: readonly [string, string | Uint8Array<ArrayBuffer>][] = [
  ['a depth bomb that is not closed', '['.repeat(limitBytes)],
  ['a depth bomb of objects', '{"a":'.repeat(500_000)],
  ['a depth bomb for its layers', image.replace('"layers":[]', `"layers":${deep(1_000_000)}`)],
  ['two documents', `${image}${image}`],
  ['a byte order mark', `\ufeff${image}`],
  ['UTF-16', new Uint8Array(Buffer.from(image, 'utf16le'))],
  ['a byte that is no UTF-8', new Uint8Array(Buffer.from(imageWith('"note":"\xff"'), 'latin1'))],
  ['half a surrogate in UTF-8', new Uint8Array(Buffer.from(imageWith('"note":"\xed\xa0\x80"'), 'latin1'))],
  ['a NUL behind the document', `${image}\0`],
  ['comments', `// image\n${image}`],
  ['a trailing comma', image.replace(/}$/, ',}')],
  ['NaN', imageWith('"n":NaN')],
  ['a tab in a text', imageWith('"note":"a\tb"')],
  ['gzip', new Uint8Array(Buffer.from([0x1f, 0x8b, 8, 0]))],
  ['a negative size', sized('-1')],
  ['a size with a fraction', sized('1.5')],
  ['a size beyond what is exact', sized('9007199254740993')],
  ['a size beyond every number', sized('1e400')],
  ['a size of thousands of digits', sized('9'.repeat(100_000))],
  ['a size in quotes', sized('"5"')],
  ['a negative size of its subject', imageOf({ subject: { ...descriptor, size: -1 } })],
  ['a subject that is a text', imageOf({ subject: sha256('x') })],
  ['annotations that are no texts', imageOf({ annotations: { a: 1 } })],
  ['a config by its prototype only', image.replace(configField, '"__proto__":$&')],
  ['a second config that is none', imageWith('"config":null')],
  ['a second media type that is another', imageWith(`"mediaType":"${ociIndexType}"`)],
  ['a media type with a line break', imageWith('"mediaType":"a/b\\r\\nX-Evil: 1"')],
  ['a digest with a path', image.replace(/sha256:[0-9a-f]{64}/, `sha256:../../${'0'.repeat(58)}`)],
]

const taken: readonly [string, string][] = [
  ['white space around', `\n\t ${image}\r\n `],
  ['a field a million deep', imageWith(`"deep":${deep(1_000_000)}`)],
  ['a number beyond every number, where none is read', imageWith('"n":1e999')],
  ['the same field twice, of which the last counts', imageWith(`"config":${configField.exec(image)?.[0].slice(9)}`)],
  ['__proto__ and constructor as fields', imageWith('"__proto__":{"layers":[1]},"constructor":{"prototype":null}')],
  ['__proto__ as an annotation', imageWith(`"subject":${JSON.stringify(descriptor)},"annotations":{"__proto__":"x"}`)],
  ['a size of a terabyte', imageWith(`"subject":${JSON.stringify({ ...descriptor, size: 2 ** 40 })}`)],
  ['a size with an exponent', imageWith(`"subject":${JSON.stringify(descriptor).replace(':1}', ':1e3}')}`)],
  ['texts of every plane', imageWith('"note":"ä 漢 😀 \\ud800"')],
]

const contentTypes: readonly [string, number][] = [
  [ociManifestType, 201],
  [`${ociManifestType}; charset=utf-8`, 201],
  [`${ociManifestType};charset="a;b"; x=`, 201],
  [ociManifestType.toUpperCase(), 201],
  [`  ${ociManifestType}  `, 201],
  [ociIndexType, 400],
  [`${ociManifestType}, ${ociIndexType}`, 400],
  [`${ociManifestType} x`, 400],
  ['application/json', 400],
  ['text/html', 400],
  ['no media type', 400],
  ['multipart/form-data; boundary=x', 400],
]

describe.each(stackFaces)('at %s, a manifest', (_, runtime, face) => {
  let stack: Stack
  const stored = () => filesIn(join(stack.dataFolder, 'bucket'))
  const put = (tag: string, content: string | Uint8Array<ArrayBuffer>, type?: string) =>
    putManifest(face(stack), 'input', tag, content, type)

  beforeAll(async () => {
    stack = await startStack(runtime)
    await pushImage(stack.originUrl, 'input', 'v1', seed)
  })

  afterAll(() => stack.stop())

  async function expectRefused(response: Response): Promise<void> {
    const answer = { status: response.status, headers: response.headers, body: await response.text() }
    expect([answer.status, ociCode(answer)]).toEqual([400, 'MANIFEST_INVALID'])
    expect(answer.body.length).toBeLessThan(2000)
  }

  test.each(refused)('with %s is refused, and nothing is stored', async (_what, content) => {
    const before = await stored()
    await expectRefused(await put('refused', content))
    expect(await stored()).toEqual(before)
  })

  test.each(taken)('with %s comes back as it was pushed', async (_what, text) => {
    expect((await put('taken', text)).status).toBe(201)
    const pulled = await fetch(`${face(stack)}/v2/input/manifests/taken`)
    expect([pulled.status, pulled.headers.get('Content-Type')]).toEqual([200, ociManifestType])
    expect(sha256(await pulled.text())).toBe(sha256(text))
    const referrers = await fetch(`${face(stack)}/v2/input/referrers/${descriptor.digest}`)
    expect(referrers.status).toBe(200)
  })

  test.each(contentTypes)('sent as %j is %i', async (type, status) => {
    const before = await stored()
    const response = await put('typed', image, type)
    if (status === 201) expect(response.status).toBe(201)
    else {
      await expectRefused(response)
      expect(await stored()).toEqual(before)
    }
  })
})
