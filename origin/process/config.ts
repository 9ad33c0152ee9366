// Configuration of all processes: one schema, from which come the parser, the environment variables, the command-line
// options and the table in docs/operations.md. Sources, the first that has a value wins: command line, environment,
// file, default. All faults are reported at once.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { parse as parseYaml } from 'yaml'
import { accessRulesSchema, type AccessRules } from '../../shared/auth/access.ts'
import { flag, httpUrl, originUrl as originUrlRule, wholeNumber } from '../../shared/config/rules.ts'
import { logLevels } from '../../shared/ports/log.ts'
import { bucketName } from '../bucket/bucket-name.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

const listen = v.config(
  v.pipe(
    v.string(),
    v.regex(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'must be HOST:PORT, e.g. 127.0.0.1:1970 or [::1]:1970'),
    v.check((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port of at most 65535'),
    v.transform((text): ListenAddress => {
      const colon = text.lastIndexOf(':')
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
    }),
  ),
  { abortPipeEarly: true },
)
const path = v.pipe(v.string(), v.minLength(1, 'must be a path'))
const section = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  v.object(entries, 'must be a section with settings in it')

export const configSchema = section({
  data_dir: v.pipe(v.optional(path, './data'), v.description('Folder for everything that is kept: the bucket, keys.')),
  access: section({
    anonymous: v.pipe(
      v.optional(accessRulesSchema.entries.anonymous),
      v.description(
        'What everyone may do: `pull`, or `push` as well. On loopback `push` unless set; elsewhere it must be set.',
      ),
    ),
    delete: v.pipe(
      v.optional(flag),
      v.description(
        'Whether who may push may delete too: tags, manifests and blobs. On loopback `true` unless set; elsewhere `false`.',
      ),
    ),
  }),
  push: section({
    allow_sparse: v.pipe(
      v.optional(flag, false),
      v.description('Whether a manifest may name config and layers that its repository does not have.'),
    ),
  }),
  origin: section({
    listen: v.pipe(v.optional(listen, '127.0.0.1:1970'), v.description('Where the origin takes pushes.')),
    request_timeout_ms: v.pipe(
      v.optional(wholeNumber(1, 600_000), 60_000),
      v.description('Longest time until the origin begins an answer, uploads apart.'),
    ),
  }),
  bucket: section({
    folder: v.pipe(v.optional(path), v.description('The bucket. Default: `bucket` in the data folder.')),
    listen: v.pipe(
      v.optional(listen, '127.0.0.1:1971'),
      v.description('Where the bucket hands out blobs by signed URLs.'),
    ),
    url: v.pipe(
      v.optional(httpUrl),
      v.description(`Address of the bucket in redirects. Default: \`http://<bucket.listen>/${bucketName}\`.`),
    ),
    region: v.pipe(v.optional(v.string(), 'auto'), v.description('Region that the signatures name.')),
  }),
  edge: section({
    listen: v.pipe(v.optional(listen, '127.0.0.1:8787'), v.description('Where the edge serves pulls.')),
    runtime: v.pipe(
      v.optional(v.picklist(['node', 'workerd'], 'must be node or workerd'), 'node'),
      v.description(
        '`node` reads the bucket’s folder; `workerd` runs the built worker, which reads the bucket over HTTP.',
      ),
    ),
    origin_url: v.pipe(
      v.optional(originUrlRule),
      v.description('Where the edge finds the origin. Default: `http://<origin.listen>`.'),
    ),
    memory_cache_mib: v.pipe(
      v.optional(wholeNumber(1, 65_536), 64),
      v.description('Manifests the edge keeps in memory, MiB. The worker takes at most 96.'),
    ),
    bucket_timeout_ms: v.pipe(
      v.optional(wholeNumber(1, 600_000), 10_000),
      v.description('Longest time until the bucket begins its answer to the edge.'),
    ),
    origin_timeout_ms: v.pipe(
      v.optional(wholeNumber(1, 600_000), 30_000),
      v.description('Longest time the edge waits for the origin without a byte.'),
    ),
  }),
  http: section({
    idle_timeout_ms: v.pipe(
      v.optional(wholeNumber(100, 3_600_000), 120_000),
      v.description('A connection on which nothing moves for so long is closed.'),
    ),
    drain_ms: v.pipe(
      v.optional(wholeNumber(0, 3_600_000), 30_000),
      v.description('How long a process that stops lets requests in flight go on.'),
    ),
  }),
  log: section({
    level: v.pipe(
      v.optional(v.picklist(logLevels, `must be one of ${logLevels.join(', ')}`), 'info'),
      v.description('Least level that is logged; requests are `info`.'),
    ),
  }),
})

export type Config = Readonly<v.InferOutput<typeof configSchema>>

export interface Setting {
  /** As in the file, sections joined by dots: `origin.listen`. */
  readonly path: string
  readonly environment: string
  /** Without dashes in front. */
  readonly option: string
  readonly about: string
  readonly default: string | undefined
}

/** Every setting, in the order of the schema. */
export const settings: readonly Setting[] = collectSettings(configSchema.entries, [])

type Entries = Readonly<Record<string, v.GenericSchema>>

function collectSettings(entries: Entries, sections: readonly string[]): Setting[] {
  return Object.entries(entries).flatMap(([name, schema]) => {
    const names = [...sections, name]
    if (isSection(schema)) return collectSettings(schema.entries, names)
    const fallback = v.getDefault(schema) as string | number | boolean | undefined
    const path = names.join('.')
    return [
      {
        path,
        environment: `MIRRORBALL_${names.join('_').toUpperCase()}`,
        option: optionName(path),
        about: v.getDescription(schema) ?? '',
        default: fallback === undefined ? undefined : `${fallback}`,
      },
    ]
  })
}

/** `up --edge workerd` reads better than `--edge-runtime workerd`. */
function optionName(path: string): string {
  return path === 'edge.runtime' ? 'edge' : path.replace(/[._]/g, '-')
}

function isSection(schema: v.GenericSchema): schema is v.GenericSchema & { readonly entries: Entries } {
  return 'entries' in schema
}

/** Says what is wrong with the configuration, one line a fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(faults: readonly string[]) {
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    )
  }
}

/** The file that is read where it exists and no other was named. */
const defaultFile = 'mirrorball.yaml'

export interface ConfigSources {
  /** By option name. */
  readonly options: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** @throws ConfigError */
export async function loadConfig({ options, environment }: ConfigSources): Promise<Config> {
  const file = options['config'] ?? environment['MIRRORBALL_CONFIG']
  const values = await readConfigFile(file ?? defaultFile, file !== undefined)
  const origins = new Map<string, string>()
  for (const { path, environment: variable, option } of settings) {
    const fromOption = options[option]
    const fromEnvironment = environment[variable]
    const given = fromOption ?? fromEnvironment
    if (given === undefined) continue
    origins.set(path, fromOption === undefined ? variable : `--${option}`)
    setPath(values, path.split('.'), given)
  }
  for (const [name, schema] of Object.entries(configSchema.entries)) {
    if (!isSection(schema)) continue
    values[name] ??= {}
    // A list would pass for an object without any of its keys.
    if (Array.isArray(values[name])) values[name] = JSON.stringify(values[name])
  }
  const unknown = unknownSettings(values, configSchema.entries, [])
  const result = v.safeParse(configSchema, values)
  const issues = result.success ? [] : result.issues
  const faults = [
    ...unknown.map((name) => `${name}: there is no such setting; see docs/operations.md`),
    ...issues.map((issue) => {
      const at = v.getDotPath(issue) ?? 'the file'
      return `${origins.get(at) ?? at}: ${issue.message}; got ${JSON.stringify(issue.input)}`
    }),
  ]
  if (faults.length > 0 || !result.success) throw new ConfigError(faults)
  return deepFreeze(result.output)
}

/** Every key that is no setting, with its sections. */
function unknownSettings(values: Record<string, unknown>, entries: Entries, sections: readonly string[]): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const schema = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (schema === undefined) return [[...sections, name].join('.')]
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isSection(schema) && isMapping ? unknownSettings({ ...value }, schema.entries, [...sections, name]) : []
  })
}

async function readConfigFile(file: string, required: boolean): Promise<Record<string, unknown>> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (!required && error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new ConfigError([`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  let values: unknown
  try {
    values = parseYaml(text) ?? {}
  } catch (error) {
    throw new ConfigError([`${file}: is no YAML: ${error instanceof Error ? error.message : String(error)}`])
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new ConfigError([`${file}: must be a mapping of settings`])
  return values as Record<string, unknown>
}

/** Sets a value inside sections. What stands where a section should be is left there, to be reported. */
function setPath(target: Record<string, unknown>, [first = '', ...rest]: readonly string[], value: string): void {
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const section = (target[first] ??= {})
  if (typeof section === 'object' && section !== null && !Array.isArray(section)) {
    setPath(section as Record<string, unknown>, rest, value)
  }
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const each of Object.values(value)) if (typeof each === 'object' && each !== null) deepFreeze(each as object)
  return Object.freeze(value)
}

/** Where the bucket's folder is. */
export function bucketFolder(config: Config): string {
  return config.bucket.folder ?? join(config.data_dir, 'bucket')
}

/** Where the key of the bucket process is. */
export function bucketKeyFile(config: Config): string {
  return join(config.data_dir, 'accounts', 'bucket-key.json')
}

/**
 * The bucket's address in redirects, with the port that was really taken.
 * @throws ConfigError where it listens on all addresses, and nobody said by which one clients reach it
 */
export function bucketUrl(config: Config, listening: ListenAddress = config.bucket.listen): string {
  if (config.bucket.url !== undefined) return config.bucket.url
  if (!['0.0.0.0', '::'].includes(listening.host)) return `http://${formatAddress(listening)}/${bucketName}`
  throw new ConfigError([
    `bucket.url: must be set, because bucket.listen (${formatAddress(listening)}) is no address that a client can be sent to; ` +
      `e.g. http://192.0.2.7:${listening.port}/${bucketName} (--bucket-url, MIRRORBALL_BUCKET_URL)`,
  ])
}

export function originUrl(config: Config): string {
  return config.edge.origin_url ?? `http://${formatAddress(config.origin.listen)}`
}

export function formatAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * What everyone may do at a listener. Closed by default, easy on loopback: only there is everything allowed unasked.
 * @param path of the setting that holds the address, for the message
 * @throws ConfigError
 */
export function accessAt(config: Config, path: string, address: ListenAddress): AccessRules {
  const loopback = isLoopback(address.host)
  const anonymous = config.access.anonymous ?? (loopback ? 'push' : undefined)
  if (anonymous !== undefined) return { anonymous, delete: config.access.delete ?? loopback }
  throw new ConfigError([
    `access.anonymous: must be set, because ${path} (${formatAddress(address)}) can be reached from other machines: ` +
      '`pull` to let everyone pull and nobody push, `push` to let everyone do both ' +
      '(--access-anonymous, MIRRORBALL_ACCESS_ANONYMOUS)',
  ])
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
