// A registry with users whose origin has a host of its own for uploads, beside the edges'.

import { type ClosedFaces, startClosedFaces } from './closed-faces.ts'
import { type PassingProxy, startPassingProxy } from '../http/passing-proxy.ts'

export interface FacesWithPublicHost extends ClosedFaces {
  /** Of the origin, as clients reach it. */
  readonly publicUrl: string
}

/** @param settings of the command line, beside those of access */
export async function startFacesWithPublicHost(
  settings: Readonly<Record<string, string>> = {},
): Promise<FacesWithPublicHost> {
  // The origin has to be told of the host before it listens.
  const origin = Promise.withResolvers<string>()
  const host: PassingProxy = await startPassingProxy(origin.promise)
  try {
    const faces = await startClosedFaces({ 'origin-public-url': host.url, ...settings })
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
