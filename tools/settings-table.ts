// The table of settings in docs/settings.md, made from the schema that reads them. Run as a program, it rewrites the
// table: `node bin/launch.cjs tools/settings-table.ts`.

import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { settings } from '../origin/config/settings.ts'

/** The document that holds the table. */
export const settingsDocument = resolve(import.meta.dirname, '../docs/settings.md')

const begin = '<!-- settings:begin -->'
const end = '<!-- settings:end -->'

/** All settings as a Markdown table, without a newline at the end. */
export function settingsTable(): string {
  const rows = settings.map(({ path, environment, option, default: fallback, about }) => [
    code(path),
    code(environment),
    code(`--${option}`),
    fallback === undefined ? '' : code(fallback),
    about,
  ])
  return [['setting', 'environment', 'option', 'default', 'meaning'], ['---', '---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map(escaped).join(' | ')} |`)
    .join('\n')
}

/** `document` with the table of now between its two marks. @throws Error where a mark is missing */
export function withSettingsTable(document: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`${begin} and, after it, ${end} must stand in ${settingsDocument}`)
  return `${document.slice(0, from + begin.length)}\n${settingsTable()}\n${document.slice(to)}`
}

function code(text: string): string {
  return `\`${text}\``
}

/** A pipe would end the cell, a newline the row; GitHub wants the pipe escaped inside code too. */
function escaped(cell: string): string {
  return cell.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
}

if (process.argv[1] === import.meta.filename) {
  await writeFile(settingsDocument, withSettingsTable(await readFile(settingsDocument, 'utf8')))
}
