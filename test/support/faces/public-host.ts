// A registry whose origin has a host of its own for uploads, beside the edges'.

import { type PassingProxy, startPassingProxy } from '../http/passing-proxy.ts'
import { type ClosedFaces, startClosedFaces } from './closed-faces.ts'
import type { Faces } from './faces.ts'

/** Settings of the command line. */
type Settings = Readonly<Record<string, string>>

interface PublicHost {
  /** Of the origin, as clients reach it. */
  readonly publicUrl: string
}

export type FacesWithPublicHost = ClosedFaces & PublicHost

/** @param start begins the registry, with these settings beside its own */
export async function withPublicHost<Started extends Pick<Faces, 'url' | 'stop'>>(
  start: (settings: Settings) => Promise<Started>,
): Promise<Started & PublicHost> {
  // The origin has to be told of the host before it listens.
  const origin = Promise.withResolvers<string>()
  const host: PassingProxy = await startPassingProxy(origin.promise)
  try {
    const faces = await start({ 'origin-public-url': host.url })
    origin.resolve(faces.url('origin'))
    return {
      ...faces,
      publicUrl: host.url,
      async stop() {
        await faces.stop()
        await host.stop()
      },
    }
  } catch (error) {
    await host.stop()
    throw error
  }
}

/** One with users. @param settings beside those of access */
export function startFacesWithPublicHost(settings: Settings = {}): Promise<FacesWithPublicHost> {
  return withPublicHost((host) => startClosedFaces({ ...host, ...settings }))
}
