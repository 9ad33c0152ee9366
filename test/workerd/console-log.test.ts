// A worker's log: JSON lines, with the fields that the processes on Node have.

import { afterEach, expect, test, vi } from 'vitest'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createConsoleLog } from '../../worker/console-log.ts'

afterEach(() => vi.restoreAllMocks())

/** What the platform is given to collect. */
function collected(): string[] {
  const lines: string[] = []
  for (const level of ['log', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => void lines.push(line))
  }
  return lines
}

test('a line says when, how bad, which part and what', () => {
  const lines = collected()
  const before = Date.now()
  createConsoleLog('info').info('request', { id: 'some-id', status: 200 })
  const line = JSON.parse(lines[0] ?? '') as Record<string, string>
  expect(line).toEqual({ level: 'info', time: line['time'], part: 'edge', id: 'some-id', status: 200, msg: 'request' })
  expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(Date.parse(line['time'] ?? '')).toBeGreaterThanOrEqual(before)
})

test('less than the level is not logged, and an error comes with its cause', () => {
  const lines = collected()
  const log = createConsoleLog('warn')
  log.info('request', {})
  log.warn('a dependency failed', {}, new UpstreamError('bucket', 'R2 failed', { cause: new Error('the cause') }))
  log.error('a request failed', {}, 'no error')
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['warn', 'error'])
  expect(lines[0]).toContain('the cause')
})
