// HTTP at every process: TLS, who a client is, its limits, and when connections end.

import * as v from 'valibot'
import { networks, wholeNumber } from '../../../shared/config/rules.ts'
import { path } from '../rules.ts'
import { setting } from '../setting.ts'

export const httpSection = v.strictObject({
  tls_cert: setting(path, {
    example: '/etc/mirrorball/tls/fullchain.pem',
    description:
      'PEM file with the certificate of origin and edge, and the chain behind it; with `http.tls_key`. They then speak TLS alone. Read again when it changes.',
  }),
  tls_key: setting(path, {
    example: '/etc/mirrorball/tls/privkey.pem',
    description: 'PEM file with the key of `http.tls_cert`, without a passphrase.',
  }),
  trusted_proxies: setting(networks, {
    example: '127.0.0.1,2001:db8::/32',
    description:
      'Proxies in front of origin and edge, whose `X-Forwarded-For` says who the client is: IP addresses and networks with commas between them. None unless set.',
  }),
  requests_per_minute: setting(wholeNumber(0, 1_000_000), {
    example: 3000,
    description:
      'Requests that a client may make to the origin, and as many to the edge; an IPv6 client is its /64. 0: any number. 6000 unless set, and then any number from this machine.',
  }),
  connections_per_client: setting(wholeNumber(0, 1_000_000), {
    example: 500,
    description:
      'Connections that a client may have open to a process; an IPv6 client is its /64, and trusted proxies have any number. 0: any number. 1000 unless set, and then any number from this machine.',
  }),
  login_attempts_per_minute: setting(wholeNumber(0, 1_000_000), {
    example: 20,
    description:
      'Wrong passwords and tokens that a client may try to sign in with; an IPv6 client is its /64. 0: any number. 60 unless set, and then any number from this machine.',
  }),
  idle_timeout_ms: setting(wholeNumber(100, 3_600_000), {
    default: 120_000,
    description: 'A connection on which nothing moves for so long is closed.',
  }),
  drain_ms: setting(wholeNumber(0, 3_600_000), {
    default: 30_000,
    description: 'How long a process that stops lets requests in flight go on.',
  }),
})
