// Configuration of all processes: one schema, from which come the parser, the environment variables, the command-line
// options, the table in docs/operations.md and the JSON Schema of the file. A setting has a description and, where it has
// no default, an example; what must not be shown is marked by `v.metadata({ secret: true })`.

import * as v from 'valibot'
import { accessRulesSchema, defaultService } from '../../shared/auth/access.ts'
import {
  flag,
  httpUrl,
  listOf,
  networks,
  originUrl as originUrlRule,
  repositoryPatterns,
  tagPatterns,
  wholeNumber,
} from '../../shared/config/rules.ts'
import { logLevels } from '../../shared/ports/log.ts'
import { pushedNames } from '../../shared/registry/publish-image.ts'
import { bucketName } from '../bucket/bucket-name.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

const listenMessage = 'must be HOST:PORT, e.g. 127.0.0.1:1970 or [::1]:1970'
const listen = v.config(
  v.pipe(
    v.string(listenMessage),
    v.regex(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, listenMessage),
    v.check((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port of at most 65535'),
    v.transform((text): ListenAddress => {
      const colon = text.lastIndexOf(':')
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
    }),
  ),
  { abortPipeEarly: true },
)
const path = v.pipe(v.string('must be a path'), v.minLength(1, 'must be a path'))
const regionMessage = 'must be the name of a region'
const section = v.strictObject
const multiaddrs = listOf(
  v.pipe(v.string(), v.regex(/^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s,]+\/tcp\/\d{1,5}$/)),
  'must be multiaddrs of TCP with commas between them, e.g. /ip4/127.0.0.1/tcp/4001',
)
const peers = listOf(
  v.pipe(v.string(), v.regex(/^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s,]+\/tcp\/\d{1,5}\/p2p\/[A-Za-z0-9]+$/)),
  'must be multiaddrs of TCP with /p2p/ and the id of the node, with commas between them',
)
const urls = listOf(httpUrl, 'must be http(s) URLs without a slash at the end, with commas between them')
const metricsListen = (part: string, example: string) =>
  v.pipe(
    v.optional(listen),
    v.description(`Where \`/metrics\` of the ${part} is, for everyone who reaches that address. Off unless set.`),
    // Written as in the file, where the types ask for what becomes of it.
    v.examples([example as unknown as ListenAddress]),
  )

export const configSchema = section({
  data_dir: v.pipe(v.optional(path, './data'), v.description('Folder for everything that is kept: the bucket, keys.')),
  access: section({
    anonymous: v.pipe(
      v.optional(accessRulesSchema.entries.anonymous),
      v.description(
        'What everyone may do: `none`, `pull`, or `push` as well. While origin and edge listen on loopback, and without users, `push` unless set; else it must be set.',
      ),
      v.examples(['pull']),
    ),
    users: v.pipe(
      accessRulesSchema.entries.users,
      v.description(
        'What everyone who signed in may do: `none`, `pull` or `push`. With `access.htpasswd` it is `push` unless set.',
      ),
      v.examples(['push']),
    ),
    rules: v.pipe(
      accessRulesSchema.entries.rules,
      v.description(
        'What else some users may do, or everyone, and where: a list in the file, JSON elsewhere. Each rule has `repositories` (patterns), `rights` (`pull`, `push`, `delete`, `fetch`), and `users` (names, or `@` and a group’s name) or `anonymous: true`.',
      ),
      v.examples(['[{"repositories":["team/**"],"users":["@team"],"rights":["push"]}]' as never]),
    ),
    groups: v.pipe(
      accessRulesSchema.entries.groups,
      v.description('Groups of users for the rules: a list in the file, JSON elsewhere.'),
      v.examples(['[{"name":"team","users":["alice","bob"]}]' as never]),
    ),
    service: v.pipe(
      v.optional(v.unwrap(accessRulesSchema.entries.service), defaultService),
      v.description('Name of the registry in tokens and challenges.'),
    ),
    fetch: v.pipe(
      v.optional(flag),
      v.description(
        'Whether everyone may pull images of IPFS by their CIDs that were never seen here. On loopback and without users `true` unless set; else `false`.',
      ),
      v.examples([true]),
    ),
    delete: v.pipe(
      v.optional(flag),
      v.description(
        'Whether who may push may delete too: tags, manifests and blobs. On loopback and without users `true` unless set; else `false`.',
      ),
      v.examples([true]),
    ),
    read_only: v.pipe(
      v.optional(flag, false),
      v.description(
        'Whether pushes and deletes are refused to everyone. The origin then writes nothing to the bucket’s folder.',
      ),
    ),
    private: v.pipe(
      v.optional(repositoryPatterns),
      v.description(
        'Repositories that are closed to everyone, and stay off IPFS: patterns with commas between them, `*` for a part of one component, `**` for all that follows.',
      ),
      v.examples(['team/**,secret' as unknown as string[]]),
    ),
    htpasswd: v.pipe(
      v.optional(path),
      v.description(
        'File of users: a line each with name, colon and bcrypt or argon2id hash of the password (`mirrorball user hash` makes one). It is read again when it changes.',
      ),
      v.examples(['/etc/mirrorball/htpasswd']),
    ),
    immutable_tags: v.pipe(
      v.optional(tagPatterns),
      v.description(
        'Tags that nobody may move or delete once they are there: `NAME:TAG` with commas between them, where NAME is a pattern as of `access.private`, and `*` in TAG stands for any part.',
      ),
      v.examples(['team/**:v*,app:1.*' as unknown as string[]]),
    ),
  }),
  push: section({
    allow_sparse: v.pipe(
      v.optional(flag, false),
      v.description('Whether a manifest may name config and layers that its repository does not have.'),
    ),
    names: v.pipe(
      v.optional(v.picklist(pushedNames, `must be ${pushedNames.join(' or ')}`), 'any'),
      v.description(
        'Which names a pushed image has: `any`, the one it was pushed under and those of its content; or `content-only`, its CID and its digest alone: the pushed name disappears, as with Forta’s Disco. Repositories in `access.private` keep theirs.',
      ),
    ),
    upload_expiry_hours: v.pipe(
      v.optional(wholeNumber(1, 8760), 24),
      v.description('Hours after which an upload that nobody went on with ends, and its bytes are removed.'),
    ),
  }),
  ipfs: section({
    backend: v.pipe(
      v.optional(v.picklist(['embedded', 'kubo', 'off'], 'must be embedded, kubo or off'), 'embedded'),
      v.description(
        'Where public images are on IPFS: `embedded`, which hands them out from the bucket itself; `kubo`, a node at `ipfs.kubo_url` that keeps copies; or `off`, not at all.',
      ),
    ),
    listen: v.pipe(
      v.optional(multiaddrs),
      v.description(
        'Where the embedded node hands out public images to other nodes of IPFS: multiaddrs with commas between them. Nowhere unless set.',
      ),
      v.examples(['/ip4/127.0.0.1/tcp/4001' as unknown as string[]]),
    ),
    peers: v.pipe(
      v.optional(peers),
      v.description(
        'Nodes of IPFS that the embedded node keeps in touch with, and asks for images that were never seen here: multiaddrs with commas between them. No others are ever dialled.',
      ),
      v.examples([
        '/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as unknown as string[],
      ]),
    ),
    kubo_url: v.pipe(
      v.optional(httpUrl),
      v.description(
        'RPC of a Kubo node. Images that were never seen here are asked for there, and with `ipfs.backend: kubo` public ones are kept there.',
      ),
      v.examples(['http://127.0.0.1:5001']),
    ),
    gateways: v.pipe(
      v.optional(urls),
      v.description(
        'Trustless gateways to ask for images that were never seen here, in this order: URLs with commas between them. None unless set.',
      ),
      v.examples(['https://trustless-gateway.example.com' as unknown as string[]]),
    ),
    fetch_timeout_ms: v.pipe(
      v.optional(wholeNumber(1, 600_000), 30_000),
      v.description('Longest time without a byte of content that is fetched from IPFS.'),
    ),
    fetch_limit_gib: v.pipe(
      v.optional(wholeNumber(1, 10_000), 50),
      v.description('Largest image that is fetched from IPFS.'),
    ),
    searches_per_minute: v.pipe(
      v.optional(wholeNumber(0, 1_000_000)),
      v.description(
        'Images that were never seen here, of which a client may make the origin ask others; an IPv6 client is its /64. 0: any number. 20 unless set, and then any number from this machine.',
      ),
      v.examples([10]),
    ),
    keep_fetched_days: v.pipe(
      v.optional(wholeNumber(1, 36_500), 30),
      v.description('Days for which an image that came by its CID is kept after it was last asked for.'),
    ),
  }),
  origin: section({
    listen: v.pipe(v.optional(listen, '127.0.0.1:1970'), v.description('Where the origin takes pushes.')),
    metrics_listen: metricsListen('origin', '127.0.0.1:9470'),
    request_timeout_ms: v.pipe(
      v.optional(wholeNumber(1, 600_000), 60_000),
      v.description('Longest time until the origin begins an answer, uploads apart.'),
    ),
  }),
  bucket: section({
    folder: v.pipe(
      v.optional(path),
      v.description('The bucket. Default: `bucket` in the data folder.'),
      v.examples(['/srv/mirrorball/bucket']),
    ),
    listen: v.pipe(
      v.optional(listen, '127.0.0.1:1971'),
      v.description('Where the bucket hands out blobs by signed URLs.'),
    ),
    metrics_listen: metricsListen('bucket process', '127.0.0.1:9471'),
    url: v.pipe(
      v.optional(httpUrl),
      v.description(`Address of the bucket in redirects. Default: \`http://<bucket.listen>/${bucketName}\`.`),
      v.examples([`https://blobs.example.com/${bucketName}`]),
    ),
    region: v.pipe(
      v.optional(v.pipe(v.string(regionMessage), v.minLength(1, regionMessage)), 'auto'),
      v.description('Region that the signatures name.'),
    ),
  }),
  edge: section({
    listen: v.pipe(v.optional(listen, '127.0.0.1:8787'), v.description('Where the edge serves pulls.')),
    metrics_listen: metricsListen('edge on Node', '127.0.0.1:9472'),
    runtime: v.pipe(
      v.optional(v.picklist(['node', 'workerd'], 'must be node or workerd'), 'node'),
      v.description(
        '`node` reads the bucket’s folder; `workerd` runs the built worker, which reads the bucket over HTTP.',
      ),
    ),
    bucket_access: v.pipe(
      v.optional(v.picklist(['folder', 'http'], 'must be folder or http'), 'folder'),
      v.description(
        'How an edge on Node reads the bucket: `folder`, or `http` where the folder is on another machine. In workerd always `http`.',
      ),
    ),
    origin_url: v.pipe(
      v.optional(originUrlRule),
      v.description(
        'Where the edge finds the origin. Default: `origin.listen`, over TLS where `http.tls_cert` is set.',
      ),
      v.examples(['http://192.0.2.7:1970']),
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
      v.optional(wholeNumber(1, 600_000), 60_000),
      v.description('Longest time the edge waits for the origin without a byte.'),
    ),
  }),
  http: section({
    tls_cert: v.pipe(
      v.optional(path),
      v.description(
        'PEM file with the certificate of origin and edge, and the chain behind it; with `http.tls_key`. They then speak TLS alone. Read again when it changes.',
      ),
      v.examples(['/etc/mirrorball/tls/fullchain.pem']),
    ),
    tls_key: v.pipe(
      v.optional(path),
      v.description('PEM file with the key of `http.tls_cert`, without a passphrase.'),
      v.examples(['/etc/mirrorball/tls/privkey.pem']),
    ),
    trusted_proxies: v.pipe(
      v.optional(networks),
      v.description(
        'Proxies in front of origin and edge, whose `X-Forwarded-For` says who the client is: IP addresses and networks with commas between them. None unless set.',
      ),
      v.examples(['127.0.0.1,2001:db8::/32' as unknown as string[]]),
    ),
    requests_per_minute: v.pipe(
      v.optional(wholeNumber(0, 1_000_000)),
      v.description(
        'Requests that a client may make to the origin, and as many to the edge; an IPv6 client is its /64. 0: any number. 6000 unless set, and then any number from this machine.',
      ),
      v.examples([3000]),
    ),
    connections_per_client: v.pipe(
      v.optional(wholeNumber(0, 1_000_000)),
      v.description(
        'Connections that a client may have open to a process; an IPv6 client is its /64, and trusted proxies have any number. 0: any number. 1000 unless set, and then any number from this machine.',
      ),
      v.examples([500]),
    ),
    login_attempts_per_minute: v.pipe(
      v.optional(wholeNumber(0, 1_000_000)),
      v.description(
        'Wrong passwords and tokens that a client may try to sign in with; an IPv6 client is its /64. 0: any number. 60 unless set, and then any number from this machine.',
      ),
      v.examples([20]),
    ),
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
