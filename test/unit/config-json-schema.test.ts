// The configuration file's JSON Schema: well-formed, complete, and of one mind with what reads the file.

import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { configJsonSchema } from '../../origin/config/json-schema.ts'
import { configSchema } from '../../origin/config/schema.ts'
import { settings } from '../../origin/config/settings.ts'
import { faults, load } from './config-sources.ts'

/** The keywords that the schema uses, and no other. */
interface Schema {
  readonly $schema?: string
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly not?: Schema
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: string | number | boolean
  readonly description?: string
  readonly examples?: readonly (string | number | boolean)[]
}

const asserting = [
  'type',
  'properties',
  'additionalProperties',
  'anyOf',
  'enum',
  'pattern',
  'minLength',
  'minimum',
  'maximum',
  'items',
  'required',
  'not',
]
const annotating = ['$schema', 'default', 'description', 'examples']

// As an editor has it: through JSON.
const root = JSON.parse(JSON.stringify(configJsonSchema(configSchema))) as Schema

const subschemas = (schema: Schema): Schema[] => [
  schema,
  ...[
    ...Object.values(schema.properties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
  ].flatMap(subschemas),
]

const schemaAt = (path: string): Schema =>
  path.split('.').reduce((schema, name) => schema.properties?.[name] ?? expect.unreachable(path), root)

function typesOf(value: unknown): string[] {
  if (value === null) return ['null']
  if (Array.isArray(value)) return ['array']
  return Number.isInteger(value) ? ['integer', 'number'] : [typeof value]
}

/** Draft 7, as far as the schema uses it. */
function accepts(schema: Schema, value: unknown): boolean {
  const { type, properties = {}, anyOf, enum: values, pattern, minLength, minimum, maximum } = schema
  if (type !== undefined && !typesOf(value).some((each) => [type].flat().includes(each))) return false
  if (anyOf !== undefined && !anyOf.some((each) => accepts(each, value))) return false
  if (values !== undefined && !values.includes(value)) return false
  if (typeof value === 'string')
    return (pattern === undefined || new RegExp(pattern, 'u').test(value)) && value.length >= (minLength ?? 0)
  if (typeof value === 'number') return value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity)
  if (Array.isArray(value)) return value.every((each) => accepts(schema.items ?? {}, each))
  if (typeof value !== 'object' || value === null) return true
  if (schema.required?.some((name) => !(name in value)) === true) return false
  return Object.entries(value).every(([name, each]) => {
    const property = properties[name]
    return property === undefined ? schema.additionalProperties === undefined : accepts(property, each)
  })
}

describe('the JSON Schema', () => {
  test('says its draft, and uses the keywords that this test knows', () => {
    expect(root.$schema).toBe('http://json-schema.org/draft-07/schema#')
    for (const each of subschemas(root)) {
      expect([...asserting, ...annotating]).toEqual(expect.arrayContaining(Object.keys(each)))
      expect(Object.values(each)).not.toContain(null)
    }
  })

  test('has every setting and no other, each section closed', () => {
    const paths = (schema: Schema, names: readonly string[] = []): string[] =>
      schema.properties === undefined
        ? [names.join('.')]
        : Object.entries(schema.properties).flatMap(([name, each]) => paths(each, [...names, name]))
    expect(paths(root)).toEqual(settings.map(({ path }) => path))
    // That of a rule in a list refuses them in other words.
    const refusals = [undefined, false, { not: {} }]
    for (const each of subschemas(root)) expect(refusals).toContainEqual(each.additionalProperties)
    for (const each of subschemas(root))
      expect(each.additionalProperties === undefined).toBe(each.properties === undefined)
  })

  test.each(settings)(
    'describes $path and has its default or example, which it accepts',
    ({ path, about, default: fallback, example }) => {
      const schema = schemaAt(path)
      expect(schema.description).toBe(about)
      expect(schema.default?.toString()).toBe(fallback)
      expect((schema.default ?? schema.examples?.[0])?.toString()).toBe(example)
      expect(accepts(schema, schema.default ?? schema.examples?.[0])).toBe(true)
    },
  )

  const files = [
    '',
    'origin:\nbucket:\n',
    'data_dir: /srv/mirrorball',
    'data_dir: 5',
    "data_dir: ''",
    'data_dir:',
    'access: {anonymous: pull, delete: true}',
    'access: {anonymous: none}',
    'access: {anonymous: nobody}',
    'access: {rules: [{repositories: [team/**], rights: [pull], users: [alice]}]}',
    'access: {rules: [{repositories: [team/**], users: [alice]}]}',
    'access: {rules: [{repositories: [team/**], rights: [pull], user: [alice]}]}',
    'access: {groups: [{name: team, users: [alice]}]}',
    'access: {groups: {team: [alice]}}',
    'access: {delete: "true"}',
    'access: {delete: yes}',
    'access: pull',
    'access: [pull]',
    'origin: {listen: 127.0.0.1:1970, request_timeout_ms: 1}',
    'origin: {listen: "[::1]:0"}',
    'origin: {listen: 1970}',
    'origin: {listen: ":1970"}',
    'origin: {listen: localhost:123456}',
    'origin: {request_timeout_ms: 0}',
    'origin: {request_timeout_ms: 600000}',
    'origin: {request_timeout_ms: 600001}',
    'origin: {request_timeout_ms: 1.5}',
    'origin: {request_timeout_ms: "1000"}',
    'origin: {request_timeout_ms: 1s}',
    'origin: {lissen: 127.0.0.1:1}',
    'bucket: {url: http://example.com/b}',
    'bucket: {url: http://example.com/b/}',
    'bucket: {url: ftp://example.com}',
    'edge: {origin_url: http://example.com/path}',
    'edge: {runtime: deno}',
    'log: {level: null}',
    'orgin: {}',
    '[1]',
    'text',
  ]

  test.each(files)('judges the file %j as what reads it does', async (file) => {
    const taken = await load({ file }).then(
      () => true,
      () => false,
    )
    expect(accepts(root, parseYaml(file) ?? null)).toBe(taken)
  })

  test('takes what only a rule that is no pattern refuses', async () => {
    for (const file of ['origin: {listen: localhost:65536}', 'bucket: {url: "http://example.com:99999"}']) {
      expect(accepts(root, parseYaml(file))).toBe(true)
      expect(await faults({ file })).toHaveLength(1)
    }
  })
})
