// wrangler.toml, as far as it matters here.

import { parse } from 'smol-toml'
import * as v from 'valibot'

const route = v.union([
  v.pipe(
    v.string(),
    v.transform((pattern) => ({ pattern, custom_domain: false })),
  ),
  v.object({ pattern: v.string(), custom_domain: v.optional(v.boolean(), false) }),
])

const fileSchema = v.object({
  name: v.string(),
  main: v.string(),
  compatibility_date: v.pipe(v.string(), v.isoDate()),
  workers_dev: v.optional(v.boolean()),
  route: v.optional(route),
  routes: v.optional(v.array(route), []),
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  r2_buckets: v.optional(v.array(v.object({ binding: v.string(), bucket_name: v.optional(v.string()) })), []),
  kv_namespaces: v.optional(v.array(v.object({ binding: v.string(), id: v.optional(v.string()) })), []),
})

export type WranglerFile = v.InferOutput<typeof fileSchema>

/** Of the top level; environments are not looked at. @throws Error that says what is wrong with the text */
export function parseWranglerFile(text: string): WranglerFile {
  const result = v.safeParse(fileSchema, parse(text))
  if (result.success) return result.output
  throw new Error(result.issues.map((issue) => `${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`).join('; '))
}

/** All routes, however they are written. */
export function routesOf({ route: one, routes }: WranglerFile) {
  return one === undefined ? routes : [one, ...routes]
}

/** The bucket's binding. */
export function bucketBinding({ r2_buckets: buckets }: WranglerFile) {
  return buckets.find(({ binding }) => binding === 'BUCKET')
}

/** The binding of the namespace for manifests. */
export function kvBinding({ kv_namespaces: namespaces }: WranglerFile) {
  return namespaces.find(({ binding }) => binding === 'MANIFESTS')
}

/** Whether a namespace was created and its id written down: what stands there before is all zeros. */
export function hasNamespace(file: WranglerFile): boolean {
  const id = kvBinding(file)?.id
  return id !== undefined && /^[\da-f]{32}$/.test(id) && !/^0+$/.test(id)
}

/** A variable that is a text. */
export function textOf({ vars }: WranglerFile, name: string): string | undefined {
  const value = vars[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
