// The configuration's file: YAML. What is wrong with it as YAML is told by line, never with the line itself, in which a
// secret may stand.

import { readFile } from 'node:fs/promises'
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml'

export interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
  readonly faults: readonly string[]
}

/** @param required whether it is a fault that the file is not there */
export async function readConfigFile(path: string, required: boolean): Promise<ConfigFile> {
  const faulty = (...faults: string[]): ConfigFile => ({ path, values: {}, faults })
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!required && isMissing(error)) return faulty()
    return faulty(`${path}: cannot be read: ${messageOf(error)}`)
  }
  try {
    return parse(path, text)
  } catch (error) {
    return faulty(`${path}: is no YAML: ${withoutQuotation(messageOf(error))}`)
  }
}

/** @throws Error where an alias has no anchor, or makes too much of it */
function parse(path: string, text: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const broken = [...document.errors, ...document.warnings].map((error) => {
    const { line, col } = lines.linePos(error.pos[0])
    return `${path}:${line}:${col}: is no YAML: ${withoutQuotation(error.message)}`
  })
  if (broken.length > 0) return { path, values: {}, faults: broken }
  const root = document.contents
  if (root === null || (isScalar(root) && root.value === null)) return { path, values: {}, faults: [] }
  if (!isMap(root)) return { path, values: {}, faults: [`${path}: must be a mapping of settings`] }
  const faults = repeatedKeys(root, lines).map(
    ({ key, lines }) => `${key}: is given more than once, in lines ${lines.join(' and ')} of ${path}`,
  )
  return { path, values: document.toJS() as Record<string, unknown>, faults }
}

interface RepeatedKey {
  /** With its sections. */
  readonly key: string
  readonly lines: readonly number[]
}

function repeatedKeys(map: YAMLMap, lines: LineCounter, sections: readonly string[] = []): RepeatedKey[] {
  const linesOf = new Map<string, number[]>()
  const inside: RepeatedKey[] = []
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue
    const names = [...sections, String(key.value)]
    const { line } = lines.linePos(key.range?.[0] ?? 0)
    linesOf.set(names.join('.'), [...(linesOf.get(names.join('.')) ?? []), line])
    if (isMap(value)) inside.push(...repeatedKeys(value, lines, names))
  }
  const here = [...linesOf].filter(([, lines]) => lines.length > 1).map(([key, lines]) => ({ key, lines }))
  return [...here, ...inside]
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The parser quotes the file behind a colon. */
function withoutQuotation(message: string): string {
  return message.split(': ', 1)[0] ?? ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
