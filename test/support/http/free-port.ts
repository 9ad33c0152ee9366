// Ports for programs that cannot be told to take any. One that the system gave and got back may be given to somebody else
// before the program has it; these are of a range that the system gives nobody.

import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what Linux and the others give for port 0, and above what services have. */
const [firstPort, endPort] = [15_000, 32_000]

const tries = 100

/** A port of loopback that is free, and that suites beside this one hardly draw too. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt <= tries; attempt++) {
    const port = randomInt(firstPort, endPort)
    if (await isFree(port)) return port
  }
  throw new Error(`none of ${tries} ports from ${firstPort} to ${endPort} is free`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
