// What an origin says of itself in the bucket, so that others that write to it know whether they can be beside it.

import * as v from 'valibot'
import { parseJson } from '../protocol/json.ts'

const markSchema = v.object({
  id: v.string(),
  /** For people: the machine, and where it listens there. */
  host: v.string(),
  /** ISO date, by the writer's clock. Another one with each renewal. */
  at: v.string(),
  /** Whether it serves; false while it still looks who else is there. */
  ready: v.boolean(),
  /** Whether the bucket's server honours conditions of writes, as this origin found. */
  conditionalWrites: v.boolean(),
  /** Fingerprints of its keys, by what an operator calls them: where none is the same, it has another key. */
  keys: v.record(v.string(), v.pipe(v.array(v.string()), v.readonly())),
  /** Fingerprint of the rules of access. */
  rules: v.string(),
})

export type OriginMark = Readonly<v.InferOutput<typeof markSchema>>

/** Of the mark, what an origin knows of itself. */
export type OriginTraits = Pick<OriginMark, 'host' | 'conditionalWrites' | 'keys' | 'rules'>

/** Undefined where it is damaged, or of a version that says less. */
export function parseOriginMark(bytes: Uint8Array): OriginMark | undefined {
  const result = v.safeParse(markSchema, parseJson(bytes))
  return result.success ? result.output : undefined
}

export function originMarkBytes(mark: OriginMark): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(mark)}\n`)
}

/** Why two origins cannot be on one bucket, and what to do; undefined: they can. */
export function whyNotBeside(own: OriginTraits, other: OriginTraits): string | undefined {
  if (!own.conditionalWrites || !other.conditionalWrites)
    return (
      'the bucket’s server does not honour If-None-Match, so they would damage each other’s uploads; ' +
      'stop one of them, or keep the bucket on a server that honours it'
    )
  const others = Object.keys(own.keys).filter((name) => isOther(own.keys[name], other.keys[name]))
  if (others.length === 0) return undefined
  return (
    `they have not the same ${others.join(', ')}, so each would refuse what the other gave out; ` +
    'give both the same, and start again'
  )
}

/** What only one of them has is a change that has not come to both yet. */
function isOther(own: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return own !== undefined && other !== undefined && !own.some((each) => other.includes(each))
}
