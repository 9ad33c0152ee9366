// An image in an OCI image layout, whatever the layout is kept in.

import * as v from 'valibot'
import { algorithmOf, type Digest, hexOf, parseDigest } from '../../shared/protocol/digest.ts'
import { parseJson } from '../../shared/protocol/json.ts'
import { BadImage, type ImageSource } from '../../shared/registry/image-source.ts'

/** The files of a layout. */
export interface LayoutFiles {
  /** A regular file by its path; undefined where there is none. Rejects with BadImage where there is something else. */
  find(path: string): Promise<LayoutFile | undefined>
}

export interface LayoutFile {
  readonly sizeBytes: number
  open(): ReadableStream<Uint8Array>
}

/** Bytes; the index of a layout with a thousand images has some 300 KiB. */
const indexLimitBytes = 4 * 1024 * 1024

/** Images that a message lists. */
const shownImages = 20

const layoutSchema = v.object({ imageLayoutVersion: v.pipe(v.string(), v.regex(/^1\./)) })
const indexSchema = v.object({
  manifests: v.array(
    v.object({
      digest: v.pipe(
        v.string(),
        v.transform((text) => parseDigest(text)),
        v.custom<Digest>((digest) => digest !== undefined),
      ),
      size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
      annotations: v.optional(v.record(v.string(), v.unknown())),
    }),
  ),
})

/**
 * Rejects with BadImage.
 * @param chosen the image, where there are several
 */
export async function layoutSource(files: LayoutFiles, chosen: Digest | undefined): Promise<ImageSource> {
  const layout = await readJson(files, 'oci-layout', layoutSchema)
  if (layout === undefined) throw new BadImage('it is no OCI image layout of version 1: a sound oci-layout is missing')
  const index = await readJson(files, 'index.json', indexSchema)
  if (index === undefined) throw new BadImage('its index.json is missing, or lists no images')
  const listed = new Map(index.manifests.map((each) => [each.digest, each]))
  const image = chosen === undefined ? listed.values().next().value : listed.get(chosen)
  if (image === undefined || (chosen === undefined && listed.size > 1)) {
    const lines = [...listed.values()].slice(0, shownImages).map(({ digest, annotations }) => {
      const name = annotations?.['org.opencontainers.image.ref.name']
      return `  ${digest}${typeof name === 'string' ? ` ${JSON.stringify(name)}` : ''}`
    })
    throw new BadImage(`it has ${listed.size} images; choose one by --digest:\n${lines.join('\n')}`)
  }
  return {
    manifest: image.digest,
    sizeBytes: image.size,
    root: undefined,
    async copiesOf(digest) {
      const file = await files.find(`blobs/${algorithmOf(digest)}/${hexOf(digest)}`)
      return file === undefined ? [] : [async () => file.open()]
    },
  }
}

async function readJson<Schema extends v.GenericSchema>(
  files: LayoutFiles,
  path: string,
  schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
  const file = await files.find(path)
  if (file === undefined) return undefined
  if (file.sizeBytes > indexLimitBytes) throw new BadImage(`its ${path} has more than ${indexLimitBytes} bytes`)
  const result = v.safeParse(schema, parseJson(new Uint8Array(await new Response(file.open()).arrayBuffer())))
  return result.success ? result.output : undefined
}
