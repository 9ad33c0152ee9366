// Real clients. Where one is missing its tests are skipped by name and say how to get it; where
// MIRRORBALL_TEST_REQUIRE_CLIENTS is set, as in CI, they fail instead.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from 'vitest'

/** On Debian, `.ci/install-clients` installs all of them; the versions of those that it builds are in `.ci/go-clients`. */
export const howToInstall = {
  skopeo: 'apt-get install skopeo',
  podman: 'apt-get install podman',
  buildah: 'apt-get install buildah',
  containerd: 'apt-get install containerd',
  ctr: 'apt-get install containerd',
  dockerd: 'apt-get install docker.io',
  docker: 'apt-get install docker.io (or docker-cli)',
  busybox: 'apt-get install busybox-static',
  nginx: 'apt-get install nginx-light',
  crane: '.ci/install-clients crane',
  regctl: '.ci/install-clients regctl',
  oras: '.ci/install-clients oras',
  helm: '.ci/install-clients helm',
  cosign: '.ci/install-clients cosign',
  buildkitd: '.ci/install-clients buildkitd',
  'docker-buildx': '.ci/install-clients docker-buildx',
  registry: '.ci/install-clients registry',
  ipfs: '.ci/install-clients ipfs',
  'compose-spec': '.ci/install-clients compose-spec',
} as const

export type Client = keyof typeof howToInstall

/** These mount, chown or make namespaces. */
const needRoot: readonly Client[] = ['dockerd', 'containerd', 'buildkitd', 'podman', 'buildah']

/** What stands in the way of running these clients; undefined where nothing does. */
export function missingClients(...clients: readonly Client[]): string | undefined {
  const reasons = clients
    .filter((client) => findClient(client) === undefined)
    .map((client) => `${client} is not installed (${howToInstall[client]})`)
  const isRoot = process.geteuid?.() === 0
  if (!isRoot)
    reasons.push(...clients.filter((client) => needRoot.includes(client)).map((client) => `${client} needs root`))
  if (reasons.length === 0) return undefined
  const reason = reasons.join(', ')
  if (process.env['MIRRORBALL_TEST_REQUIRE_CLIENTS'] !== undefined) throw new Error(`required here: ${reason}`)
  return reason
}

/** A suite that runs these clients. Where one is missing it is skipped, and its title says why. */
export function describeWith(clients: readonly Client[], title: string, suite: () => void): void {
  const missing = missingClients(...clients)
  describe.skipIf(missing !== undefined)(missing === undefined ? title : `${title} (${missing})`, suite)
}

/** Path of the executable: on PATH, or where Go installs. */
export function findClient(client: Client): string | undefined {
  const goFolders = [process.env['GOBIN'], join(process.env['HOME'] ?? '/', 'go', 'bin')].filter(
    (folder) => folder !== undefined,
  )
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin', ...goFolders]
  return folders.map((folder) => join(folder, client)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Runs a client to its end and returns what it printed. Rejects with all of it where it fails.
 *
 * @param environment on top of our own
 * @param workingFolder for clients that take file names as they are given
 */
export async function runClient(
  client: Client,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  workingFolder?: string,
): Promise<string> {
  const path = findClient(client)
  if (path === undefined) throw new Error(`${client} is not installed`)
  try {
    const { stdout } = await promisify(execFile)(path, [...args], {
      env: { ...process.env, ...environment },
      cwd: workingFolder,
      maxBuffer: 64 * 1024 * 1024,
      timeout: 240_000,
    })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${client} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}
