// IP addresses and networks, as text and as bytes. An IPv4 address in IPv6's clothes (::ffff:192.0.2.7) is that IPv4
// address: where both are listened for on one socket, they come so. Source: RFC 4291, RFC 5952.

/** Addresses that begin with the same bits. */
export interface IpNetwork {
  /** Four or sixteen. */
  readonly bytes: Uint8Array
  /** How many of them, from the first, belong to the network. */
  readonly bits: number
}

/** Bits of an IPv6 address that one customer of a provider has to himself; the rest he chooses as he likes. */
const ipv6CustomerBits = 64

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/**
 * An address in its one spelling. Takes one with a port behind it too, and then one of IPv6 is in brackets.
 * @returns undefined for what is no address
 */
export function canonicalAddress(text: string): string | undefined {
  const bare = /^\[(.*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text
  const bytes = parseAddress(bare)
  return bytes && formatAddress(bytes)
}

/** An address, or a network as `192.0.2.0/24`; undefined for what is neither. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [address = '', length, ...more] = text.split('/')
  const written = parseWritten(address)
  if (written === undefined || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const writtenBits = written.byteLength * 8
  const bytes = unmapped(written)
  const bits = Number(length ?? writtenBits) - (writtenBits - bytes.byteLength * 8)
  return Number(length ?? 0) > writtenBits || bits < 0 ? undefined : { bytes, bits }
}

/** Whether an address is in one of the networks; what is no address is in none. */
export function isInNetworks(networks: readonly IpNetwork[], address: string): boolean {
  if (networks.length === 0) return false
  const bytes = parseAddress(address)
  return bytes !== undefined && networks.some((network) => contains(network, bytes))
}

/** Who counts as one client: an IPv4 address, or a /64 of IPv6. @param address in its canonical form */
export function customerNetwork(address: string): string {
  const bytes = parseAddress(address)
  if (bytes?.byteLength !== 16) return address
  return `${formatAddress(bytes.map((byte, at) => (at * 8 < ipv6CustomerBits ? byte : 0)))}/${ipv6CustomerBits}`
}

/** Whether an address is this machine's own. @param address in its canonical form */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address)
}

/** Whether a URL leads to the machine that it is read on. */
export function isLoopbackUrl(url: string): boolean {
  const { hostname } = new URL(url)
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return isLoopbackAddress(hostname.replace(/^\[|\]$/g, ''))
}

function contains({ bytes, bits }: IpNetwork, address: Uint8Array): boolean {
  if (bytes.byteLength !== address.byteLength) return false
  return bytes.every((byte, at) => {
    const ignored = 8 - Math.min(8, Math.max(0, bits - at * 8))
    return byte >> ignored === (address[at] ?? 0) >> ignored
  })
}

function parseAddress(text: string): Uint8Array | undefined {
  const written = parseWritten(text)
  return written && unmapped(written)
}

function unmapped(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === 16 && mappedPrefix.every((byte, at) => bytes[at] === byte) ? bytes.subarray(12) : bytes
}

function parseWritten(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  // A zero in front would be octal to some.
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return Uint8Array.from(parts, Number)
}

/** The zone that a link-local address may have is left out. */
function parseIpv6(text: string): Uint8Array | undefined {
  const bare = text.replace(/%[\w.-]+$/, '')
  if (!/^[\dA-Fa-f:.]+$/.test(bare) || !URL.canParse(`http://[${bare}]/`)) return undefined
  // A URL writes it in groups of hex digits, with at most one `::`.
  const [front = '', back] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split('::')
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [first, last] = [groupsOf(front), groupsOf(back ?? '')]
  const groups = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.byteLength === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
