// What may be shown of a value that was given: never a secret, nor what a URL carries of one.

/** Stands for what is hidden. */
export const hidden = '***'

/** A text without what gives access in its URLs: user and password, query (a signature, a token) and fragment. */
export function redactUrls(text: string): string {
  if (!text.includes('://')) return text
  // What is no URL may be one with a slip in it, or a text around one. Rather too much is hidden then.
  if (!URL.canParse(text)) return text.replace(/:\/\/\S*@/g, `://${hidden}@`).replace(/([?#])\S+/g, `$1${hidden}`)
  const url = new URL(text)
  const bare = [url.username, url.password, url.search, url.hash].every((part) => part === '')
  if (bare) return text
  if (url.username !== '' || url.password !== '') url.username = hidden
  url.password = ''
  if (url.search !== '') url.search = hidden
  if (url.hash !== '') url.hash = hidden
  return url.href
}
