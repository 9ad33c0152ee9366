// A copy of what the origin tells edges of access, outside of the bucket: for an edge that starts while the bucket is in
// error. Adapter: worker/kv-access-copy.ts.

export interface AccessCopy {
  /** The last text that was kept. */
  read(): Promise<string | undefined>
  keep(text: string): Promise<void>
}
