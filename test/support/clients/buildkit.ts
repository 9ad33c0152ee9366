// docker buildx with a BuildKit daemon of its own, which has nothing cached when it starts and after `forget`.

import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../stack.ts'
import { startDaemon } from './daemon.ts'
import { findClient, runClient } from './programs.ts'
import { createCredentialFile, type CredentialFile } from './sign-in.ts'

export const neededForBuildx = ['docker', 'docker-buildx', 'buildkitd'] as const

export interface Buildx {
  /** Runs `docker buildx build` on a folder with a Dockerfile; returns what it printed. */
  build(folder: string, ...options: readonly string[]): Promise<string>
  /** For what signs in in its stead: buildx has no command for that. */
  readonly credentials: Pick<CredentialFile, 'environment' | 'signOut'>
  /** Removes all that is cached. */
  forget(): Promise<void>
  readonly stop: () => Promise<void>
}

export async function startBuildx(): Promise<Buildx> {
  const folder = await temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  const socket = `unix://${at('buildkitd.sock')}`
  // docker looks for its plug-ins here, too.
  await mkdir(at('docker/cli-plugins'), { recursive: true })
  await symlink(findClient('docker-buildx') ?? '', at('docker/cli-plugins/docker-buildx'))
  const credentials = await createCredentialFile(at('docker'))
  const environment = { ...credentials.environment, HOME: folder.path, BUILDX_BUILDER: 'ours' }
  const buildx = (...args: readonly string[]) => runClient('docker', ['buildx', ...args], environment)
  await writeFile(at('buildkitd.toml'), '')
  try {
    const stop = await startDaemon(
      'buildkitd',
      [
        // Not the machine's.
        `--config=${at('buildkitd.toml')}`,
        `--root=${at('root')}`,
        `--addr=${socket}`,
        '--oci-worker-snapshotter=native',
        '--containerd-worker=false',
      ],
      async () => {
        await buildx('create', '--name=ours', '--driver=remote', '--bootstrap', socket)
        return true
      },
    )
    return {
      credentials: {
        ...credentials,
        async signOut() {
          await credentials.signOut()
          // By it the daemon knows for whom it has tokens, whoever signs in with this folder next.
          await rm(at('docker/.token_seed'), { force: true })
        },
      },
      build: (context, ...options) => buildx('build', '--progress=plain', ...options, context),
      async forget() {
        await buildx('prune', '--all', '--force')
      },
      async stop() {
        await stop()
        await folder.remove()
      },
    }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
