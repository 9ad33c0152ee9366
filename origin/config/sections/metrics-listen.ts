// A process's own address for metrics: the same setting in the section of each.

import { listenAddress } from '../rules.ts'
import { setting } from '../setting.ts'

/** @param part the process, as its description names it */
export function metricsListen(part: string, example: string) {
  return setting(listenAddress, {
    example,
    description: `Where \`/metrics\` of the ${part} is, for everyone who reaches that address. Off unless set.`,
  })
}
