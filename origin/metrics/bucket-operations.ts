// What the bucket is asked for, and how long it takes: wraps a bucket, changes nothing about it.

import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { closedSet, createDurationTable, type DurationTable } from './duration-table.ts'

const operations = closedSet(['head', 'read', 'open', 'list', 'write', 'remove'])
const [head, read, open, list] = [
  operations.at('head'),
  operations.at('read'),
  operations.at('open'),
  operations.at('list'),
]
const [write, remove] = [operations.at('write'), operations.at('remove')]

/** `failed`: the bucket's fault, a deadline that passed included. `aborted`: nobody waited any more. */
const results = closedSet(['ok', 'missing', 'failed', 'aborted'])
const [ok, missing] = [results.at('ok'), results.at('missing')]

export interface CountedOperations {
  readonly table: DurationTable
  reader(bucket: BucketReader): BucketReader
  writer(bucket: Bucket): Bucket
}

export function countOperations(): CountedOperations {
  const table = createDurationTable({ operation: operations, result: results })

  /** The work itself goes back, so that whoever waits for it waits no longer than before. */
  function timed<Result>(operation: number, work: Promise<Result>, nothing: number): Promise<Result> {
    const began = performance.now()
    work.then(
      (result) => table.add(performance.now() - began, operation, result === undefined ? nothing : ok),
      (error: unknown) => table.add(performance.now() - began, operation, failureOf(error)),
    )
    return work
  }

  const reader = (bucket: BucketReader): BucketReader => ({
    head: (key, wait) => timed(head, bucket.head(key, wait), missing),
    read: (key, limitBytes, wait) => timed(read, bucket.read(key, limitBytes, wait), missing),
    open: (key, range, wait) => timed(open, bucket.open(key, range, wait), missing),
    async *list(prefix, after, wait) {
      const entries = bucket.list(prefix, after, wait)[Symbol.asyncIterator]()
      try {
        // Until the first entry: what comes later waits for whoever asks.
        let next = await timed(list, entries.next(), ok)
        for (; next.done !== true; next = await entries.next()) yield next.value
      } finally {
        await entries.return?.()
      }
    },
  })

  return {
    table,
    reader,
    writer: (bucket) => ({
      ...reader(bucket),
      write: (key, bytes, wait) => timed(write, bucket.write(key, bytes, wait), ok),
      // The same to whoever counts what the bucket is asked for.
      create: (key, bytes, wait) => timed(write, bucket.create(key, bytes, wait), ok),
      remove: (key, wait) => timed(remove, bucket.remove(key, wait), ok),
    }),
  }
}

function failureOf(error: unknown): number {
  return results.at(error instanceof UpstreamError ? 'failed' : 'aborted')
}
