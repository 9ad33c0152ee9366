// Every client that moves images, by name.

import { startCtr } from './ctr.ts'
import { startDocker } from './docker.ts'
import type { ImageClient } from './image-client.ts'
import { startCrane, startOras, startRegctl, startSkopeo } from './layout-clients.ts'
import { startBuildah, startPodman } from './podman-buildah.ts'
import type { Client } from './programs.ts'

interface Known {
  readonly needs: readonly Client[]
  readonly start: () => Promise<ImageClient>
  /** What of a push arrives with the digests that it had before. */
  readonly keepsDigests: 'all' | 'images of an index' | 'nothing'
}

export const imageClients = {
  skopeo: { needs: ['skopeo'], start: startSkopeo, keepsDigests: 'all' },
  crane: { needs: ['crane'], start: startCrane, keepsDigests: 'all' },
  docker: { needs: ['docker', 'dockerd', 'skopeo'], start: startDocker, keepsDigests: 'nothing' },
  podman: { needs: ['podman'], start: startPodman, keepsDigests: 'images of an index' },
  buildah: { needs: ['buildah'], start: startBuildah, keepsDigests: 'images of an index' },
  ctr: { needs: ['ctr', 'containerd'], start: startCtr, keepsDigests: 'all' },
  regctl: { needs: ['regctl'], start: startRegctl, keepsDigests: 'all' },
  oras: { needs: ['oras'], start: startOras, keepsDigests: 'all' },
} as const satisfies Readonly<Record<string, Known>>

export type ImageClientName = keyof typeof imageClients

export const imageClientNames = Object.keys(imageClients) as readonly ImageClientName[]

export type ImageClients<Name extends ImageClientName> = Readonly<Record<Name, ImageClient>>

/** What these clients need installed. */
export function neededFor(names: readonly ImageClientName[]): readonly Client[] {
  return [...new Set(names.flatMap((name): readonly Client[] => imageClients[name].needs))]
}

/** Starts these clients. Rejects where one does not start, with none left running. */
export async function startClients<Name extends ImageClientName>(
  names: readonly Name[],
): Promise<{ readonly clients: ImageClients<Name>; readonly stop: () => Promise<void> }> {
  const started: Partial<Record<Name, ImageClient>> = {}
  const stop = async () => {
    for (const name of names) await started[name]?.stop()
  }
  try {
    for (const name of names) started[name] = await imageClients[name].start()
  } catch (error) {
    await stop()
    throw error
  }
  return { clients: started as ImageClients<Name>, stop }
}
