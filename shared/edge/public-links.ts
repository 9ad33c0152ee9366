// URLs of a bucket's public host: the same for everyone, and without an end. They are for while everyone may pull
// everything; who sends clients there has to look.

import type { ObjectLinks } from '../ports/object-links.ts'

/** @param url of the host, with the path under which the bucket's keys are, and no slash at the end */
export function createPublicLinks(url: string): ObjectLinks {
  return { link: async (key) => `${url}/${key}` }
}
