// How people name an image on a command line: `name`, `name:tag`, `name@digest`.

import { parseReference, parseRepositoryName, type Reference, type RepositoryName } from './names.ts'

export interface ImageReference {
  readonly name: RepositoryName
  readonly reference: Reference
}

/** Without a tag it is `latest`. Undefined where the text is none; a host in front of the name is none of it. */
export function parseImageReference(text: string): ImageReference | undefined {
  const at = text.indexOf('@')
  const colon = text.lastIndexOf(':')
  const end = at >= 0 ? at : colon > text.lastIndexOf('/') ? colon : text.length
  const name = parseRepositoryName(text.slice(0, end))
  const reference = parseReference(end === text.length ? 'latest' : text.slice(end + 1))
  if (name === undefined || reference === undefined) return undefined
  return at >= 0 === (reference.kind === 'digest') ? { name, reference } : undefined
}
