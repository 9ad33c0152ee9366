// Records of which each is read at most once a second, so that what clients ask costs no request of its own to the bucket.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../shared/ports/clock.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import type { Records } from './records.ts'

/** Milliseconds from the beginning of a read until what it brought counts no more. */
const rememberMs = 1000

/** What is missing is remembered too: a stranger may ask for any token. */
const rememberLimit = 10_000

interface Reading {
  readonly since: number
  readonly text: Promise<string | undefined>
}

export function rememberRecords(records: Records, clock: Clock): Records {
  const readings = new LRUCache<string, Reading>({ max: rememberLimit })

  function begin(name: string): Reading {
    // Whoever comes meanwhile waits for it as well, so it goes on when the first one leaves.
    const reading = { since: clock.now(), text: records.read(name, unhurried) }
    readings.set(name, reading)
    reading.text.catch(() => {
      if (readings.get(name) === reading) readings.delete(name)
    })
    return reading
  }

  return {
    where: (name) => records.where(name),
    names: (folder, wait) => records.names(folder, wait),

    async read(name, { signal }) {
      signal.throwIfAborted()
      const known = readings.get(name)
      const ageMs = clock.now() - (known?.since ?? Number.NEGATIVE_INFINITY)
      // A clock that was set back must not make one good for longer.
      const fresh = ageMs >= 0 && ageMs < rememberMs ? known : undefined
      return orAborted(signal, (fresh ?? begin(name)).text)
    },

    create: (name, text, wait) => records.create(name, text, wait).finally(() => readings.delete(name)),
    replace: (name, text, wait) => records.replace(name, text, wait).finally(() => readings.delete(name)),
    remove: (name, wait) => records.remove(name, wait).finally(() => readings.delete(name)),
  }
}
