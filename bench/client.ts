// Push and pull of whole images by skopeo and crane, timed.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { runClient } from '../test/support/clients/programs.ts'
import { makeImage, type TestImage } from '../test/support/image.ts'

/** Where the client keeps images: memory, so that only the registry uses the disk. */
export async function clientFolder(): Promise<string> {
  return mkdtemp(join('/dev/shm', 'mirrorball-bench-')).catch(() => mkdtemp(join(tmpdir(), 'mirrorball-bench-')))
}

/** The sizes of the layers of an image, by name of the measure. */
export const imageForms = {
  '200 MB': [200_000_000],
  '40 × 256 KiB': Array.from({ length: 40 }, () => 256 * 1024),
} as const satisfies Record<string, readonly number[]>

export type ImageForm = keyof typeof imageForms

/** A new image each time: a client remembers which registry has which blob, and then uploads nothing. */
export function makeBenchImage(folder: string, form: ImageForm, seed: string): Promise<TestImage> {
  return makeImage(folder, `bench-${process.pid}-${seed}`, imageForms[form])
}

/**
 * skopeo hashes what it sends, blob after blob; 1.9 without the processor's instructions for it and with a connection for
 * each request, so that half of a push is its own work. crane believes the layout, sends several blobs at once and keeps
 * its connections: nearly all of a push is the registry.
 */
export type PushClient = 'skopeo' | 'crane'

/** E.g. `skopeo version 1.9.3`. It matters: 1.22 takes two thirds of the time of 1.9 for a push. */
export async function skopeoVersion(): Promise<string> {
  return (await run('skopeo', ['--version'])).stdout.trim()
}

/** Milliseconds that the client takes, its own start included. */
export async function push(
  image: TestImage,
  registryUrl: string,
  name: string,
  client: PushClient = 'skopeo',
): Promise<number> {
  return client === 'crane'
    ? timed('crane', ['push', '--insecure', image.folder, `${new URL(registryUrl).host}/${name}:latest`])
    : skopeoCopy(['--dest-tls-verify=false', `oci:${image.folder}:latest`, dockerReference(registryUrl, name)])
}

/** Milliseconds. The client begins with nothing. @param folder for the copy, which is removed again */
export async function pull(registryUrl: string, name: string, folder: string): Promise<number> {
  const copy = join(folder, 'pulled')
  try {
    return await skopeoCopy(['--src-tls-verify=false', dockerReference(registryUrl, name), `oci:${copy}:latest`])
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

function dockerReference(registryUrl: string, name: string): string {
  return `docker://${new URL(registryUrl).host}/${name}:latest`
}

function skopeoCopy(args: readonly string[]): Promise<number> {
  // Else it would compress each layer on the way, which takes it longer than a registry has to work.
  return timed('skopeo', ['--insecure-policy', 'copy', '--quiet', '--preserve-digests', ...args])
}

async function timed(client: PushClient, args: readonly string[]): Promise<number> {
  await settle()
  const started = performance.now()
  await runClient(client, args)
  return performance.now() - started
}

const run = promisify(execFile)

/**
 * What earlier runs left behind must not be this one's burden: what is still to be written, and memory. A virtual machine
 * gives what it does not use back to its host, and pays for it when it needs it again: 0.5 s of CPU for 200 MB of files,
 * which take 0.06 s where the memory is there. Who writes a layer twice would pay twice for the machine.
 */
async function settle(): Promise<void> {
  await run('sync')
  await run('dd', ['if=/dev/zero', 'of=/dev/null', `bs=${memoryOfRunBytes}`, 'count=1'])
}

/** More than all processes take, and the system for their files, in a run. */
const memoryOfRunBytes = 1_500_000_000
