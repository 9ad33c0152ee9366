// A password from a terminal, where it is not shown and has to be typed twice; or from a pipe, as its first line.

import type { Readable, Writable } from 'node:stream'

/** A terminal's input can tell each key, and show none. */
export interface PasswordInput extends Readable {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
}

/** What keys send. In raw mode those that stop a program are keys like others. */
const [interrupt, endOfText, backspace, newline, enter, eraseLine, remove] = [3, 4, 8, 10, 13, 21, 127].map((code) =>
  String.fromCharCode(code),
)

const pipeLimitBytes = 64 * 1024

/** Rejects with an Error where it is typed differently the second time, or there is none. */
export async function readPassword(input: PasswordInput, prompts: Writable): Promise<string> {
  if (input.isTTY !== true) return firstLine(await readAll(input))
  const [first, second] = await typed(input, prompts, ['Password: ', 'Again: '])
  if (first === undefined || first !== second) throw new Error('the two passwords differ')
  return first
}

async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk as Uint8Array | string)
    sizeBytes += bytes.length
    if (sizeBytes > pipeLimitBytes) throw new Error('the password is too long')
    chunks.push(bytes)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new Error('the password is no UTF-8')
  }
}

/** `echo` ends a line that is no part of the password. */
function firstLine(text: string): string {
  const line = text.replace(/\r?\n$/, '')
  if (/[\r\n]/.test(line)) throw new Error('the password must be one line')
  return line
}

/** A line of keys for each prompt, none of which is shown. */
async function typed(input: PasswordInput, prompts: Writable, questions: readonly string[]): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>()
  const decoder = new TextDecoder()
  const lines: string[] = []
  let line: string[] = []

  function onKey(key: string): void {
    if (key === enter || key === newline) {
      lines.push(line.join(''))
      line = []
      prompts.write(`\n${questions[lines.length] ?? ''}`)
      if (lines.length === questions.length) resolve(lines)
    } else if (key === interrupt || key === endOfText) reject(new Error('stopped before it was done'))
    else if (key === backspace || key === remove) line.pop()
    else if (key === eraseLine) line = []
    else line.push(key)
  }

  function onData(chunk: Uint8Array | string): void {
    for (const key of typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })) onKey(key)
  }

  const onEnd = () => reject(new Error('there is no password'))
  prompts.write(questions[0] ?? '')
  input.setRawMode?.(true)
  input.on('data', onData)
  input.once('end', onEnd)
  try {
    return await promise
  } finally {
    input.off('data', onData)
    input.off('end', onEnd)
    input.pause()
    input.setRawMode?.(false)
  }
}
