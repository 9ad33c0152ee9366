// docs/settings.md lists every setting as the schema has it.

import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { settings } from '../../origin/config/settings.ts'
import { settingsDocument, settingsTable, withSettingsTable } from '../../tools/settings-table.ts'

describe('the table of settings', () => {
  test('stands in docs/settings.md as the schema has it', async () => {
    const document = await readFile(settingsDocument, 'utf8')
    expect(document, 'node bin/launch.cjs tools/settings-table.ts brings the document up to date').toBe(
      withSettingsTable(document),
    )
  })

  test('has one row of five cells for each setting', () => {
    const rows = settingsTable().split('\n').slice(2)
    expect(rows.map((row) => row.split(/(?<!\\)\|/).length - 2)).toEqual(settings.map(() => 5))
  })

  test.each(settings)('says what $path means', ({ about }) => {
    expect(about).toMatch(/\.$/)
  })

  test('is refused a document without its marks', () => {
    expect(() => withSettingsTable('no marks')).toThrow('settings:begin')
  })
})
