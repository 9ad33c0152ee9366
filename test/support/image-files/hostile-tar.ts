// Tars that no tar program would write.

import { open, writeFile } from 'node:fs/promises'
import { type Pack, pack } from 'tar-stream'

export async function writeTar(file: string, fill: (to: Pack) => Promise<void>): Promise<void> {
  const tar = pack()
  const chunks: Uint8Array[] = []
  const read = (async () => {
    for await (const chunk of tar) chunks.push(chunk as Uint8Array)
  })()
  await fill(tar)
  tar.finalize()
  await read
  await writeFile(file, Buffer.concat(chunks))
}

/** Changes the first header, and makes its checksum right. @param changes.size as its twelve bytes */
export async function patchTarHeader(
  file: string,
  { size, type }: { readonly size?: string; readonly type?: string },
): Promise<void> {
  const handle = await open(file, 'r+')
  const header = Buffer.alloc(512)
  await handle.read(header, 0, 512, 0)
  if (size !== undefined) header.write(size.padEnd(12, '\0'), 124, 12, 'latin1')
  if (type !== undefined) header.write(type, 156, 1, 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  await handle.write(header, 0, 512, 0)
  await handle.close()
}
