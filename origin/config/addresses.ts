// What follows from the settings: folders, addresses of the parts, and the rights at a listener.

import { join } from 'node:path'
import type { AccessRules } from '../../shared/auth/access.ts'
import { type IpNetwork, parseNetwork } from '../../shared/protocol/ip-address.ts'
import { bucketName } from '../bucket/bucket-name.ts'
import type { S3Access } from '../bucket/s3-connection.ts'
import type { CertificateFiles } from '../tls/certificate-pair.ts'
import { ConfigError } from './config-error.ts'
import type { Config, ListenAddress } from './schema.ts'

/** Where the bucket's folder is. */
export function bucketFolder(config: Config): string {
  return config.bucket.folder ?? join(config.data_dir, 'bucket')
}

/** Where keys of this machine are, and the accounts unless they are in the bucket. */
export function accountsFolder(config: Config): string {
  return join(config.data_dir, 'accounts')
}

/** Where the key of the bucket process is. */
export function bucketKeyFile(config: Config): string {
  return join(accountsFolder(config), 'bucket-key.json')
}

/** Where the identity of the embedded IPFS node is. */
export function swarmKeyFile(config: Config): string {
  return join(accountsFolder(config), 'ipfs-key')
}

/**
 * The secret that accounts in the bucket are sealed with; undefined: they are in a folder.
 * @throws ConfigError where there is no bucket that several origins could share
 */
export function accountsSecret({ origin, bucket }: Config): string | undefined {
  if (origin.key === undefined || bucket.s3_url !== undefined) return origin.key
  throw new ConfigError([
    'origin.key: is set, and keeps users’ tokens and keys in a bucket on S3, but bucket.s3_url is not; set that too, or leave both out',
  ])
}

/**
 * The bucket on a server that speaks S3; undefined: a folder.
 * @throws ConfigError where half of what it takes is set
 */
export function s3Access({ bucket }: Config): S3Access | undefined {
  const { s3_url: url, prefix, access_key_id: accessKeyId, secret_access_key: secretAccessKey, region } = bucket
  const missing = Object.entries({ s3_url: url, access_key_id: accessKeyId, secret_access_key: secretAccessKey })
    .filter(([, value]) => value === undefined)
    .map(([name]) => name)
  if (missing.length === 3 && prefix === undefined) return undefined
  if (url === undefined || accessKeyId === undefined || secretAccessKey === undefined)
    throw new ConfigError(
      missing.map(
        (name) =>
          `bucket.${name}: must be set, because a bucket on S3 takes bucket.s3_url, bucket.access_key_id and bucket.secret_access_key`,
      ),
    )
  const { origin, pathname } = new URL(url)
  const nameAt = pathname.lastIndexOf('/') + 1
  const name = pathname.slice(nameAt)
  if (name === '') throw new ConfigError([`bucket.s3_url: must end with the bucket's name, e.g. ${origin}/mirrorball`])
  return {
    endpoint: origin + pathname.slice(0, nameAt - 1),
    region,
    bucket: name,
    prefix: prefix === undefined ? '' : `${prefix}/`,
    accessKeyId,
    secretAccessKey,
  }
}

/**
 * The bucket's address in redirects, with the port that was really taken.
 * @throws ConfigError where it listens on all addresses, and nobody said by which one clients reach it
 */
export function bucketUrl(config: Config, listening: ListenAddress = config.bucket.listen): string {
  if (config.bucket.url !== undefined) return config.bucket.url
  if (config.bucket.s3_url !== undefined) return config.bucket.s3_url
  if (!['0.0.0.0', '::'].includes(listening.host)) return `http://${formatAddress(listening)}/${bucketName}`
  throw new ConfigError([
    `bucket.url: must be set, because bucket.listen (${formatAddress(listening)}) is no address that a client can be sent to; ` +
      `e.g. http://192.0.2.7:${listening.port}/${bucketName} (--bucket-url, MIRRORBALL_BUCKET_URL)`,
  ])
}

export function originUrl(config: Config): string {
  return config.edge.origin_url ?? `${schemeOf(config)}://${formatAddress(config.origin.listen)}`
}

/** The origin, as programs on this machine reach it. */
export function localOriginUrl(config: Config): string {
  return localUrl(config, config.origin.listen)
}

/** The edge, as programs on this machine reach it. */
export function localEdgeUrl(config: Config): string {
  return localUrl(config, config.edge.listen)
}

function localUrl(config: Config, { host, port }: ListenAddress): string {
  const here = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${schemeOf(config)}://${formatAddress({ host: here, port })}`
}

/** What origin and edge speak. */
function schemeOf({ http }: Config): 'http' | 'https' {
  return http.tls_cert === undefined ? 'http' : 'https'
}

/** The certificate of origin and edge; undefined: they speak plain HTTP. @throws ConfigError where half of it is set */
export function tlsFiles({ http }: Config): CertificateFiles | undefined {
  const { tls_cert: certFile, tls_key: keyFile } = http
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  if (certFile === undefined && keyFile === undefined) return undefined
  const [missing, given] = keyFile === undefined ? ['tls_key', 'tls_cert'] : ['tls_cert', 'tls_key']
  const option = missing.replace('_', '-')
  throw new ConfigError([
    `http.${missing}: must be set, because http.${given} is (--http-${option}, MIRRORBALL_HTTP_${missing.toUpperCase()})`,
  ])
}

export function formatAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whose word on who a client is counts. */
export function trustedProxies({ http }: Config): readonly IpNetwork[] {
  return (http.trusted_proxies ?? []).map(parseNetwork).filter((network) => network !== undefined)
}

/**
 * Who may do what, at the origin and at its edges. Closed by default, easy on loopback: only there is everything allowed
 * unasked, and only as long as nobody can sign in. Who sets up users means to close something.
 * @throws ConfigError
 */
export function accessRules(config: Config): AccessRules {
  const { htpasswd, rules, groups, service } = config.access
  const users = config.access.users ?? (htpasswd === undefined ? undefined : 'push')
  const withUsers = users !== undefined || rules !== undefined
  const reachable = reachableListener(config)
  const isEasy = reachable === undefined && !withUsers
  const anonymous = config.access.anonymous ?? (isEasy ? 'push' : undefined)
  if (anonymous !== undefined) {
    const { delete: mayDelete = isEasy, fetch = isEasy, private: closed, read_only: readOnly } = config.access
    const { immutable_tags: immutableTags } = config.access
    return {
      anonymous,
      ...(users === undefined ? {} : { users }),
      ...(rules === undefined ? {} : { rules }),
      service,
      ...(groups === undefined ? {} : { groups }),
      delete: mayDelete,
      fetch,
      ...(readOnly ? { readOnly } : {}),
      ...(closed === undefined ? {} : { private: closed }),
      ...(immutableTags === undefined ? {} : { immutableTags }),
    }
  }
  throw new ConfigError([
    `access.anonymous: must be set, because ${withUsers ? 'there are users' : `${reachable} can be reached from other machines`}: ` +
      '`pull` to let everyone pull and nobody push, `push` to let everyone do both, `none` to let nobody do anything unless rules say so ' +
      '(--access-anonymous, MIRRORBALL_ACCESS_ANONYMOUS)',
  ])
}

/**
 * Whether the rules let everyone push or delete though nobody said so. An edge with settings of its own may be reached from
 * elsewhere, and must not follow such rules then.
 */
export function areUnasked(config: Config, rules: AccessRules): boolean {
  const { anonymous, delete: mayDelete } = config.access
  return rules.anonymous === 'push' && (anonymous === undefined || (rules.delete && mayDelete === undefined))
}

/** A listener that other machines reach; undefined where there is none. */
function reachableListener({ origin, edge }: Config): string | undefined {
  if (!isLoopback(origin.listen)) return `origin.listen (${formatAddress(origin.listen)})`
  return isLoopback(edge.listen) ? undefined : `edge.listen (${formatAddress(edge.listen)})`
}

/** Whether an address is reached from its own machine alone. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** Milliseconds for which an image that came by its CID is kept after it was last asked for. */
export function keepFetchedMs(config: Config): number {
  return config.ipfs.keep_fetched_days * 24 * 3600_000
}

/** Milliseconds after which an upload that nobody went on with ends. */
export function uploadExpiryMs(config: Config): number {
  return config.push.upload_expiry_hours * 3600_000
}
