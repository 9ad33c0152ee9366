// The one face that tests see of every client that moves images.

import type { TestImage, TestIndex } from '../image.ts'
import type { PulledImage, PulledIndex } from './oci-layout.ts'
import type { SignIn } from './sign-in.ts'

/** References are HOST:PORT/NAME:TAG. A pull starts from nothing and leaves nothing for the next one to find. */
export interface ImageClient extends SignIn {
  push(image: TestImage, reference: string): Promise<void>
  /** @returns what the client then has, after it or we compared each file with its digest */
  pull(reference: string): Promise<PulledImage>
  /** The index with all its images. */
  pushIndex(index: TestIndex, reference: string): Promise<void>
  /** The images of all these architectures; in one go where the client can. */
  pullIndex(reference: string, architectures: readonly string[]): Promise<PulledIndex>
  /** Ends what runs for it and removes what it kept. */
  readonly stop: () => Promise<void>
}

/** HOST:PORT/NAME, as clients write it. */
export function referenceAt(url: string, name: string): string {
  return `${new URL(url).host}/${name}`
}
