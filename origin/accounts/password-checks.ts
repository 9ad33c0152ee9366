// Checks of passwords, a few at once: each takes a thread for a tenth of a second, and what reads files needs threads too.
// What was right is remembered for a minute, since some clients sign in again for every layer.

import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { createSlots } from '../../shared/concurrency/slots.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { type PasswordHash, verifyPassword } from './password-hash.ts'

const atOnce = 2
/** Checks under way and waiting. More would wait for longer than clients do. */
const pendingLimit = 64
const rememberMs = 60_000
const rememberLimit = 10_000

export interface PasswordChecks {
  /**
   * Whether `password` is that of the user with this hash.
   * Rejects with UpstreamError('accounts') where too many are waiting.
   */
  check(user: string, hash: PasswordHash, password: string, wait: Wait): Promise<boolean>

  /** Does the same work for a user there is not, and finds nothing out. */
  waste(hash: PasswordHash, password: string, wait: Wait): Promise<void>
}

export interface PasswordChecksOptions {
  readonly clock: Clock
  readonly verify?: typeof verifyPassword
}

export function createPasswordChecks({ clock, verify = verifyPassword }: PasswordChecksOptions): PasswordChecks {
  const slots = createSlots(atOnce)
  // What is remembered is of use to nobody who reads this process's memory later: the key is of this process alone.
  const key = randomBytes(32)
  /** Until when, by user, hash and password: a changed hash is another entry. */
  const right = new LRUCache<string, number>({ max: rememberLimit })
  let pending = 0

  async function queued<Result>({ signal }: Wait, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    if (pending >= pendingLimit)
      throw new UpstreamError('accounts', `${pendingLimit} passwords wait to be checked, which is the limit`)
    pending += 1
    const done = slots.run(signal, work).finally(() => {
      pending -= 1
    })
    return orAborted(signal, done)
  }

  const isRemembered = (entry: string) => (right.get(entry) ?? 0) > clock.now()

  return {
    async check(user, hash, password, wait) {
      // None of them has a NUL in it.
      const entry = createHmac('sha256', key).update(`${user}\0${hash.text}\0${password}`).digest('base64')
      if (isRemembered(entry)) return true
      return queued(wait, async () => {
        // Found out while this one waited: clients send the same many times at once.
        if (isRemembered(entry)) return true
        const isRight = await verify(hash, password)
        if (isRight) right.set(entry, clock.now() + rememberMs)
        return isRight
      })
    },

    async waste(hash, password, wait) {
      await queued(wait, () => verify(hash, password))
    },
  }
}
