// Checks of something that runs, or is to run: each small, with a name, a time limit and advice of its own.

import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'

/** What a check found. Where `why` and `mend` are left out, those of the check hold. */
export type Finding =
  | { readonly ok: string }
  | { readonly fault: string; readonly why?: string; readonly mend?: string }
  | { readonly skipped: string }

export interface Check {
  /** Of lower-case words with dashes; unlike all others. */
  readonly name: string
  /** What a fault here means for those who use the registry. */
  readonly why: string
  /** What to do where it fails and nothing better is known. */
  readonly mend: string
  /** Names of checks before it without which it cannot be tried. */
  readonly needs?: readonly string[]
  /** Names of checks before it whose fault would explain one here, so that only theirs is told. */
  readonly follows?: readonly string[]
  /** A rejection is a fault too. */
  run(wait: Wait): Promise<Finding>
}

export type Outcome =
  | { readonly check: string; readonly state: 'ok'; readonly seen: string }
  | {
      readonly check: string
      readonly state: 'fault'
      readonly seen: string
      readonly why: string
      readonly mend: string
    }
  | { readonly check: string; readonly state: 'skipped'; readonly why: string }

/**
 * Runs the checks, one after another in their order. Rejects only with the reason of `wait`.
 * @param timeoutMs of each check
 */
export async function* runChecks(
  checks: readonly Check[],
  { clock, timeoutMs, wait }: { readonly clock: Clock; readonly timeoutMs: number; readonly wait: Wait },
): AsyncGenerator<Outcome> {
  const succeeded = new Set<string>()
  /** The check whose fault is behind it, by the name of the one that is not well. */
  const causes = new Map<string, string>()
  for (const check of checks) {
    wait.signal.throwIfAborted()
    const { name, needs = [], follows = [] } = check
    const missing = needs.find((each) => !succeeded.has(each))
    const finding: Finding =
      missing === undefined
        ? await within(clock, timeoutMs, wait, (limit) => check.run(limit))
        : { skipped: `needs ${causes.get(missing) ?? missing}` }
    const known = [...needs, ...follows].map((each) => causes.get(each)).find((each) => each !== undefined)
    if ('ok' in finding) succeeded.add(name)
    else if (known !== undefined) causes.set(name, known)
    else if ('fault' in finding) causes.set(name, name)
    yield outcomeOf(check, finding, known)
  }
}

/** @param known the check whose fault explains one here */
function outcomeOf({ name: check, why, mend }: Check, finding: Finding, known: string | undefined): Outcome {
  if ('ok' in finding) return { check, state: 'ok', seen: finding.ok }
  if ('skipped' in finding) return { check, state: 'skipped', why: finding.skipped }
  if (known !== undefined)
    return { check, state: 'skipped', why: `fails too, which ${known} explains: ${finding.fault}` }
  return { check, state: 'fault', seen: finding.fault, why: finding.why ?? why, mend: finding.mend ?? mend }
}

async function within(
  clock: Clock,
  timeoutMs: number,
  wait: Wait,
  work: (limit: Wait) => Promise<Finding>,
): Promise<Finding> {
  const limit = deadline(clock, timeoutMs, wait.signal, () => new Error(`no answer within ${timeoutMs} ms`))
  try {
    return await orAborted(limit.signal, work(limit))
  } catch (error) {
    wait.signal.throwIfAborted()
    return { fault: reasonOf(error) }
  } finally {
    limit.clear()
  }
}

/** What an error says, with what is behind it, on one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  // One that was tried at several addresses has no message of its own.
  const said = (message === '' && 'code' in error ? String(error.code) : message).replace(/\s+/g, ' ').trim()
  return cause === undefined ? said : `${said}: ${reasonOf(cause)}`
}
