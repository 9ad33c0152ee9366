// A client's daemon as a process of our own, away from any that the machine runs.

import { spawn } from 'node:child_process'
import { eventually } from '../stack.ts'
import { type Client, findClient } from './programs.ts'

/**
 * Starts the daemon and waits until it answers. Rejects with its log where it does not.
 *
 * @param answers may reject while the daemon is not there yet
 * @param environment on top of our own
 * @returns ends it
 */
export async function startDaemon(
  client: Client,
  args: readonly string[],
  answers: () => Promise<boolean>,
  environment: Readonly<Record<string, string>> = {},
): Promise<() => Promise<void>> {
  const program = findClient(client)
  if (program === undefined) throw new Error(`${client} is not installed`)
  const child = spawn(program, [...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  for (const output of [child.stdout, child.stderr]) output.on('data', (text: Buffer) => log.push(text.toString()))
  let over = false
  const ended = new Promise<void>((done) => {
    child.once('close', () => {
      over = true
      done()
    })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }

  let lastAnswer: unknown = 'none'
  const asked = async () => {
    try {
      return await answers()
    } catch (error) {
      lastAnswer = error
      return false
    }
  }
  try {
    await eventually(`${client} answers`, () => over || asked(), 60_000)
    if (over) throw new Error(`${client} ended`)
  } catch (error) {
    await stop()
    throw new Error(`${String(error)}; last answer: ${String(lastAnswer)}; its log:\n${log.join('')}`, { cause: error })
  }
  return stop
}
