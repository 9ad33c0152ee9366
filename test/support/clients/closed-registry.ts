// All clients that move images, at every face of a registry with users, where alice pushed an image that is in a public
// repository and in a private one.

import { join } from 'node:path'
import { type ClosedFaces, passwords, startClosedFaces } from '../faces/closed-faces.ts'
import { makeImage, type TestImage } from '../image.ts'
import { temporaryFolder } from '../stack.ts'
import { type ImageClientName, imageClientNames, type ImageClients, startClients } from './image-clients.ts'

export interface ClosedRegistry extends ClosedFaces {
  /** None is signed in. */
  readonly clients: ImageClients<ImageClientName>
  /** As `open/image:latest` and `team/image:latest`. */
  readonly image: TestImage
}

/** Needs what `neededFor(imageClientNames)` says. */
export async function startClosedRegistry(): Promise<ClosedRegistry> {
  const folder = await temporaryFolder()
  const ends = [folder.remove]
  const stop = async () => {
    for (const end of ends.toReversed()) await end()
  }
  try {
    const image = await makeImage(join(folder.path, 'image'), 'in a closed registry', [200_000, 1])
    const faces = await startClosedFaces()
    ends.push(faces.stop)
    const { clients, stop: stopClients } = await startClients(imageClientNames)
    ends.push(stopClients)
    await clients.skopeo.login(faces.host('origin'), 'alice', passwords.alice)
    for (const name of ['open/image', 'team/image']) await clients.skopeo.push(image, faces.at('origin', name))
    await clients.skopeo.signOut()
    return { ...faces, clients, image, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
