// What both runtimes check values of their configuration with.

import * as v from 'valibot'
import { repositoryPattern } from '../auth/repository-pattern.ts'
import { parseKey } from '../layout/keys.ts'
import { parseNetwork } from '../protocol/ip-address.ts'

const urlMessage = 'must be an http(s) URL without a slash at the end, e.g. http://127.0.0.1:1970'

/** An address on the web, perhaps with a path, to which more path is added. */
export const httpUrl = v.config(
  v.pipe(
    v.string(urlMessage),
    v.regex(/^https?:\/\/[^/\s?#]+(?:\/[^\s?#]*[^/\s?#])?$/, urlMessage),
    v.check((text) => URL.canParse(text), urlMessage),
  ),
  { abortPipeEarly: true },
)

const keyFolderMessage =
  'must be folders of letters, digits and ._- with single slashes between them and none at the ends, e.g. team/registry'

/** Where in a bucket all keys lie. */
export const keyFolder = v.config(
  v.pipe(
    v.string(keyFolderMessage),
    v.check((text) => parseKey(text) !== undefined, keyFolderMessage),
  ),
  { abortPipeEarly: true },
)

const originMessage = 'must be an http(s) URL with a host and no path, e.g. http://127.0.0.1:1970'

/** Where a service is that has its paths at the root. */
export const originUrl = v.config(
  v.pipe(
    v.string(originMessage),
    v.regex(/^https?:\/\/[^/\s?#@]+$/, originMessage),
    v.check((text) => URL.canParse(text), originMessage),
  ),
  { abortPipeEarly: true },
)

/** A whole number, as a number or in digits, both limits included. */
export function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`
  const inLimits = v.config(
    v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message), v.integer(message)),
    { abortPipeEarly: true },
  )
  return v.union([inLimits, v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.toNumber(), inLimits)], message)
}

const secretMessage = 'must be 32 to 256 printable characters without spaces'

/** Known to two programs, and to nobody else. */
export const sharedSecret = v.pipe(v.string(secretMessage), v.regex(/^[!-~]{32,256}$/, secretMessage))

/** A yes or no. */
export const flag = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])], 'must be true or false'),
  v.transform((value) => value === true || value === 'true'),
)

/** Several values in one text, with commas between them. @param message for the whole, whichever is at fault */
export function listOf<const Item extends v.GenericSchema<string, unknown>>(item: Item, message: string) {
  return v.config(
    v.pipe(
      v.string(message),
      v.transform((text) => text.split(',').map((each) => each.trim())),
      v.check((texts) => texts.every((text) => v.is(item, text)), message),
      v.transform((texts) => texts.map((text) => v.parse(item, text))),
    ),
    { abortPipeEarly: true },
  )
}

/** Patterns of tags, as shared/auth/tag-pattern.ts reads them. */
export const tagPatterns = listOf(
  v.pipe(v.string(), v.regex(/^(?:[a-z0-9._*-]+\/)*[a-z0-9._*-]+:[A-Za-z0-9._*-]+$/)),
  'must be patterns of repository names, each with a colon and a pattern of tags, with commas between them, e.g. team/**:v*,app:1.*',
)

/** Patterns of repository names. */
export const repositoryPatterns = listOf(
  repositoryPattern,
  'must be patterns of repository names with commas between them, e.g. team/**,secret',
)

/** IP addresses, and networks of them. */
export const networks = listOf(
  v.pipe(
    v.string(),
    v.regex(/^[\dA-Fa-f:.]+(?:\/\d{1,3})?$/),
    v.check((text) => parseNetwork(text) !== undefined),
  ),
  'must be IP addresses or networks with commas between them, e.g. 192.0.2.7,2001:db8::/32',
)
