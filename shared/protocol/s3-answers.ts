// What S3 answers in XML: listings and errors. Source: Amazon S3 API Reference, ListObjectsV2 and "Error Responses".

import { parseXml, XmlElement } from '@rgrove/parse-xml'

export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
  /** ms since 1970, by the server's clock, which some servers give in whole seconds. */
  readonly modifiedMs: number
}

export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** Prefixes up to the next delimiter, where one was asked for. */
  readonly folders: readonly string[]
  /** Of the next page; undefined: there is none. */
  readonly continuation: string | undefined
}

export interface ListingOptions {
  readonly prefix: string
  /** `one`: what lies directly under the prefix, else all of it. */
  readonly level: 'one' | 'all'
  /** What sorts behind it alone; empty: from the beginning. */
  readonly after: string
  /** Of the page before. */
  readonly continuation: string | undefined
}

/** The parameters of a request for a page. */
export function listingQuery({ prefix, level, after, continuation }: ListingOptions): Record<string, string> {
  return {
    'list-type': '2',
    prefix,
    'encoding-type': 'url',
    ...(level === 'one' ? { delimiter: '/' } : {}),
    ...(after === '' ? {} : { 'start-after': after }),
    ...(continuation === undefined ? {} : { 'continuation-token': continuation }),
  }
}

/** Undefined where it is none, or breaks off without saying how to go on. @param xml with `encoding-type=url` */
export function parseListing(xml: string): ListedPage | undefined {
  const root = rootOf(xml)
  if (root?.name !== 'ListBucketResult') return undefined
  const continuation = textIn(root, 'NextContinuationToken')
  const isTruncated = textIn(root, 'IsTruncated') === 'true'
  if (isTruncated && continuation === undefined) return undefined
  return {
    objects: elements(root, 'Contents').map((entry) => ({
      key: decodeURIComponent(textIn(entry, 'Key') ?? ''),
      sizeBytes: Number(textIn(entry, 'Size') ?? Number.NaN),
      etag: textIn(entry, 'ETag') ?? '',
      modifiedMs: Date.parse(textIn(entry, 'LastModified') ?? ''),
    })),
    folders: elements(root, 'CommonPrefixes').map((entry) => decodeURIComponent(textIn(entry, 'Prefix') ?? '')),
    continuation: isTruncated ? continuation : undefined,
  }
}

/**
 * What lies on one level, in the bytewise order of paths. A page has its objects before its folders, and S3 counts a
 * folder as after `after` when an object in it is.
 */
export function entriesAfter(
  { objects, folders }: ListedPage,
  after: string,
): { readonly path: string; readonly kind: 'object' | 'folder' }[] {
  const entries = [
    ...objects.map(({ key }) => ({ path: key, kind: 'object' as const })),
    ...folders.map((path) => ({ path, kind: 'folder' as const })),
  ]
  return entries.filter(({ path }) => path > after).sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** An answer that says what failed; undefined where it is none. */
export function parseS3Error(xml: string): { readonly code: string; readonly message: string } | undefined {
  const root = rootOf(xml)
  const code = root?.name === 'Error' ? textIn(root, 'Code') : undefined
  return root && code !== undefined ? { code, message: textIn(root, 'Message') ?? '' } : undefined
}

function rootOf(xml: string): XmlElement | undefined {
  try {
    return parseXml(xml).root ?? undefined
  } catch {
    return undefined
  }
}

function elements(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((child): child is XmlElement => child instanceof XmlElement && child.name === name)
}

function textIn(parent: XmlElement, name: string): string | undefined {
  return elements(parent, name)[0]?.text
}
