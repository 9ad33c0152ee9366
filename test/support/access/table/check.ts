// Whether an answer is what the policy says, and what is wrong with it where it is not.

import type { ExactAnswer } from '../../http/exact-request.ts'
import type { Expected } from './policy.ts'

/** @param allowedStatus of the answer where it is allowed */
export function faultOf(
  answer: ExactAnswer,
  expected: Expected,
  { base, allowedStatus }: { readonly base: string; readonly allowedStatus: number },
): string | undefined {
  const cacheControl = answer.header('Cache-Control')
  if (
    cacheControl === undefined ||
    !/^(?:private\b|no-store$)/.test(cacheControl) ||
    /public|s-maxage/.test(cacheControl)
  )
    return `${answer.status} with Cache-Control ${cacheControl}`
  if (answer.status >= 400 && cacheControl !== 'no-store') return `a refusal with Cache-Control ${cacheControl}`
  const wanted = said(expected, base, allowedStatus)
  const got = toldBy(answer, expected)
  return wanted === got ? undefined : `expected ${wanted}, got ${got} ${answer.body.slice(0, 200)}`
}

function said(expected: Expected, base: string, allowedStatus: number): string {
  switch (expected.kind) {
    case 'allowed':
      return String(allowedStatus)
    case 'challenge':
      return `401 UNAUTHORIZED ${challenge(base, expected)}`
    case 'basic':
      return '401 UNAUTHORIZED Basic realm="token service", charset="UTF-8"'
    case 'denied':
      return '403 DENIED'
    case 'no route':
      return 'no route'
    case 'no method':
      return `405 UNSUPPORTED ${expected.allow}`
  }
}

function challenge(base: string, { scope, error }: { readonly scope?: string; readonly error?: string }): string {
  const parts = [`realm="${base}/token"`, 'service="mirrorball"']
  if (scope !== undefined) parts.push(`scope="${scope}"`)
  if (error !== undefined) parts.push(`error="${error}"`)
  return `Bearer ${parts.join(',')}`
}

function toldBy(answer: ExactAnswer, expected: Expected): string {
  const { status } = answer
  if (expected.kind === 'no route' && [400, 404, 405].includes(status) && answer.header('Location') === undefined)
    return 'no route'
  // HEAD has no body to tell a code in.
  const code = answer.body === '' ? codes[status] : codeIn(answer.body)
  const more = answer.header('WWW-Authenticate') ?? (status === 405 ? answer.header('Allow') : undefined)
  return [String(status), ...(status < 400 || expected.kind === 'allowed' ? [] : [code, more])]
    .filter((part) => part !== undefined)
    .join(' ')
}

const codes: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 405: 'UNSUPPORTED' }

function codeIn(body: string): string | undefined {
  return /"code":"([A-Z_]+)"/.exec(body)?.[1]
}
