// Other spellings of a path, and whether they mean the same or no path of the registry at all.

export interface Spelling {
  readonly what: string
  readonly path: string
  /** `another`: the same route, about a thing there is not. */
  readonly means: 'same' | 'another' | 'nothing'
}

/**
 * @param row.decodesLast whether percent-encoding is understood in the last segment
 * @param row.freeLast whether the last segment may be any text
 */
export function spellings(path: string, row: { decodesLast?: boolean; freeLast?: boolean }): readonly Spelling[] {
  const segments = path.slice(1).split('/')
  const last = segments.length - 1
  const replaced = (at: number, text: string) =>
    `/${segments.map((segment, index) => (index === at ? text : segment)).join('/')}`
  const found: Spelling[] = [
    { what: 'as it is', path, means: 'same' },
    path.endsWith('/')
      ? { what: 'without the slash at the end', path: path.slice(0, -1), means: 'same' }
      : { what: 'a slash at the end', path: `${path}/`, means: 'nothing' },
  ]
  const [first = '', ...rest] = segments
  const around = rest.length === 0 ? ['', first] : [`/${first}`, rest.join('/')]
  for (const dots of ['other/..', 'other/%2e%2e', 'other/%2E.', '.'])
    found.push({ what: `/${dots}/`, path: around.join(`/${dots}/`), means: 'nothing' })
  for (const [at, segment] of segments.entries()) {
    found.push({ what: `// before ${at}`, path: replaced(at, `/${segment}`), means: 'nothing' })
    if (at > 0) {
      const before = segments.slice(0, at).join('/')
      found.push({ what: `%2F before ${at}`, path: `/${before}%2F${segments.slice(at).join('/')}`, means: 'nothing' })
    }
    if (segment === '') continue
    const code = segment.charCodeAt(0).toString(16)
    found.push({
      what: `encoded letter in ${at}`,
      path: replaced(at, `%${code}${segment.slice(1)}`),
      means:
        at !== last ? 'nothing' : row.decodesLast === true ? 'same' : row.freeLast === true ? 'another' : 'nothing',
    })
    const upper = segment.toUpperCase()
    if (upper !== segment && !(at === last && row.freeLast === true))
      found.push({ what: `upper case in ${at}`, path: replaced(at, upper), means: 'nothing' })
  }
  return found
}
