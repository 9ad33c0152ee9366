import { expect, test } from 'vitest'
import { createProgress } from '../../origin/verbs/progress.ts'
import { createFakeClock } from '../support/fake-clock.ts'

function terminal(isTTY: boolean) {
  const clock = createFakeClock()
  const written: string[] = []
  const progress = createProgress({ isTTY, columns: 20, write: (text: string) => void written.push(text) }, clock)
  return { progress, advance: (ms: number) => clock.advance(ms), written }
}

test('a terminal shows the newest line twice a second, cut to its width, and nothing stays', () => {
  const { progress, advance, written } = terminal(true)
  progress.show('one')
  advance(499)
  expect(written).toEqual([])
  progress.show('two')
  advance(1)
  progress.show('x'.repeat(50))
  advance(500)
  progress.end()
  expect(written).toEqual(['\r\u001B[Ktwo', `\r\u001B[K${'x'.repeat(19)}`, '\r\u001B[K'])
})

test('work that is soon over shows nothing', () => {
  const { progress, advance, written } = terminal(true)
  progress.show('one')
  progress.end()
  advance(10_000)
  expect(written).toEqual([])
})

test('where no terminal is, nothing is written', () => {
  const { progress, advance, written } = terminal(false)
  progress.show('one')
  advance(10_000)
  progress.end()
  expect(written).toEqual([])
})
