// A registry under measurement.

export interface Peer {
  /** As in the report. */
  readonly name: string
  /** Where it takes pushes. */
  readonly pushUrl: string
  /** Where it serves pulls. */
  readonly pullUrl: string
  /** Where it keeps blobs in Distribution's layout; undefined where it has another. */
  readonly bucketFolder?: string
  /** Process that all its others descend from. */
  readonly pid: number
  /** Processes by role, for their memory. */
  readonly roles: Readonly<Record<string, number>>
  stop(): Promise<void>
}
