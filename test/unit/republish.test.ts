// An origin tells edges anew what is gone from the bucket, and leaves alone what is there.

import { expect, test } from 'vitest'
import { startRepublishing } from '../../origin/process/republish.ts'
import { accessKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'

const minuteMs = 60_000
const text = (words: string) => new TextEncoder().encode(words)

function start() {
  const clock = createFakeClock()
  const bucket = createMemoryBucket()
  const head = { fails: false }
  const watched: BucketReader = {
    ...bucket,
    head: (key, wait) => (head.fails ? Promise.reject(new Error('out of order')) : bucket.head(key, wait)),
  }
  const log = createRecordingLog()
  const publish = () => bucket.write(accessKey, text('ours'), unhurried)
  const republishing = startRepublishing({ bucket: watched, publish, clock, log })
  const there = async () => {
    const bytes = await bucket.read(accessKey, 100, unhurried)
    return bytes && new TextDecoder().decode(bytes)
  }
  return { clock, bucket, head, log, republishing, there }
}

test('what is gone is there again within a minute, each time', async () => {
  const { clock, bucket, republishing, there } = start()
  for (let time = 0; time < 2; time++) {
    clock.advance(minuteMs)
    await expect.poll(there).toBe('ours')
    await bucket.remove(accessKey, unhurried)
  }
  await republishing.stop()
})

test('what another origin wrote stays', async () => {
  const { clock, bucket, republishing, there } = start()
  await bucket.write(accessKey, text('theirs'), unhurried)
  clock.advance(minuteMs)
  await republishing.stop()
  expect(await there()).toBe('theirs')
})

test('a look that fails is logged, and the next one comes', async () => {
  const { clock, head, log, republishing, there } = start()
  head.fails = true
  clock.advance(minuteMs)
  await expect.poll(() => log.lines.length).toBe(1)
  head.fails = false
  await expect
    .poll(() => {
      clock.advance(minuteMs)
      return there()
    })
    .toBe('ours')
  await republishing.stop()
})

test('nothing begins once it was stopped', async () => {
  const { clock, republishing, there } = start()
  await republishing.stop()
  clock.advance(2 * minuteMs)
  expect(await there()).toBeUndefined()
})
