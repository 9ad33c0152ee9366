// A password from a terminal or a pipe.

import { PassThrough, Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type PasswordInput, readPassword } from '../../origin/verbs/read-password.ts'

/** A terminal, and what is seen of it. */
function terminal() {
  const modes: boolean[] = []
  const input: PasswordInput & PassThrough = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => void modes.push(raw),
  })
  const output = new PassThrough({ encoding: 'utf8' })
  return { input, output, modes, seen: () => String(output.read() ?? '') }
}

describe('at a terminal', () => {
  test.each([
    ['key by key', 'sesame\rsesame\r'.split('')],
    ['pasted whole', ['sesame\rsesame\r']],
    ['with newlines', ['sesame\nsesame\n']],
    ['with keys taken back', ['sesamo\u007fe\r', 'xyz\u0015sesame\r']],
  ])('it is typed twice and not shown: %s', async (_, keys) => {
    const { input, output, modes, seen } = terminal()
    const password = readPassword(input, output)
    for (const key of keys) input.write(key)
    expect(await password).toBe('sesame')
    expect(seen()).toBe('Password: \nAgain: \n')
    expect(modes).toEqual([true, false])
  })

  test('letters that come in parts are put together', async () => {
    const { input, output } = terminal()
    const password = readPassword(input, output)
    for (const byte of Buffer.from('sésame☃\rsésame☃\r')) input.write(Buffer.of(byte))
    expect(await password).toBe('sésame☃')
  })

  test.each([
    ['two that differ', 'sesame\rsesamo\r', 'the two passwords differ'],
    ['Ctrl-C', 'sesame\u0003', 'stopped before it was done'],
    ['Ctrl-D', 'sesame\rse\u0004', 'stopped before it was done'],
  ])('%s end it, with echo on again', async (_, keys, message) => {
    const { input, output, modes } = terminal()
    const password = expect(readPassword(input, output)).rejects.toThrow(message)
    input.write(keys)
    await password
    expect(modes).toEqual([true, false])
  })

  test('so does a terminal that is gone', async () => {
    const { input, output, modes } = terminal()
    const password = expect(readPassword(input, output)).rejects.toThrow('there is no password')
    input.end('sesame\r')
    await password
    expect(modes).toEqual([true, false])
  })
})

describe('from a pipe', () => {
  const piped = (...chunks: (string | Uint8Array)[]) => {
    const { output, seen } = terminal()
    return readPassword(Readable.from(chunks), output).finally(() => expect(seen()).toBe(''))
  }

  test.each([['sesame\n'], ['sesame\r\n'], ['sesame'], ['ses', 'ame\n']])(
    'it is the line: %j %j',
    async (...chunks) => {
      expect(await piped(...chunks)).toBe('sesame')
    },
  )

  test('blanks are part of it', async () => {
    expect(await piped(' sés ame \n')).toBe(' sés ame ')
  })

  test('more lines are refused, and so is what is no UTF-8 or has no end', async () => {
    await expect(piped('sesame\nsesame\n')).rejects.toThrow('must be one line')
    await expect(piped(Buffer.from([0x73, 0xe9, 0x0a]))).rejects.toThrow('no UTF-8')
    await expect(piped('x'.repeat(70_000))).rejects.toThrow('too long')
  })
})
