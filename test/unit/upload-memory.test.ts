// Memory that uploads share: never more than there is, and nobody waits forever.

import { expect, test } from 'vitest'
import { blockBytes, createUploadMemory, type MemoryHolding } from '../../origin/upload/upload-memory.ts'

const { signal } = new AbortController()
const never = () => expect.unreachable('nobody needs to give up')

async function take(holding: MemoryHolding, count: number): Promise<Buffer[]> {
  const blocks = []
  for (let at = 0; at < count; at++) blocks.push((await holding.take(signal)) ?? expect.unreachable('asked to store'))
  return blocks
}

/** Whether a promise is still pending when all that is ready has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  const ready = new Promise((resolve) => setImmediate(resolve, pending))
  return (await Promise.race([promise, ready])) === pending
}

test('what is stored is free again, and used again', async () => {
  const memory = createUploadMemory(2 * blockBytes)
  const holding = memory.join(never)
  const first = await take(holding, 2)
  holding.storing(first)()
  const again = await take(holding, 2)
  expect(new Set(again)).toEqual(new Set(first))
})

test('who wants more than there is waits until others have stored theirs, in order of arrival', async () => {
  const memory = createUploadMemory(2 * blockBytes)
  const [holder, second, third] = [memory.join(never), memory.join(never), memory.join(never)]
  const held = await take(holder, 2)
  const stored = held.map((block) => holder.storing([block]))
  const waiting = [second.take(signal), third.take(signal)]
  for (const each of waiting) expect(await isPending(each)).toBe(true)
  stored[0]?.()
  expect(await waiting[0]).toBe(held[0])
  expect(await isPending(waiting[1] ?? Promise.resolve())).toBe(true)
  stored[1]?.()
  expect(await waiting[1]).toBe(held[1])
})

test('where nothing is being stored, who holds most has to store it, for those who wait', async () => {
  const memory = createUploadMemory(5 * blockBytes)
  const [large, small] = [memory.join(() => giveUp()), memory.join(never)]
  const held = await take(large, 3)
  await take(small, 2)
  const giveUp = () => large.storing(held)()
  expect(held).toContain(await small.take(signal))
})

test('and where that is the one who waits, it is told', async () => {
  const memory = createUploadMemory(3 * blockBytes)
  const [large, small] = [memory.join(never), memory.join(never)]
  await take(large, 2)
  await take(small, 1)
  expect(await large.take(signal)).toBeUndefined()
})

test('who leaves gives back what it holds', async () => {
  const memory = createUploadMemory(blockBytes)
  const [left, next] = [memory.join(() => {}), memory.join(never)]
  const held = await take(left, 1)
  const waiting = next.take(signal)
  expect(await isPending(waiting)).toBe(true)
  left.leave(held)
  expect(await waiting).toBe(held[0])
  expect(memory.holders).toBe(1)
})

test('who does not wait any more takes nothing', async () => {
  const memory = createUploadMemory(blockBytes)
  const [holder, left, next] = [memory.join(() => {}), memory.join(never), memory.join(never)]
  const stored = holder.storing(await take(holder, 1))
  const controller = new AbortController()
  const gone = left.take(controller.signal)
  controller.abort(new Error('the client left'))
  await expect(gone).rejects.toThrow('the client left')
  const waiting = next.take(signal)
  stored()
  expect(await waiting).toBeInstanceOf(Buffer)
  await expect(left.take(controller.signal)).rejects.toThrow('the client left')
})

test('a block that came just when nobody waited any more is not lost', async () => {
  const memory = createUploadMemory(blockBytes)
  const [holder, left, next] = [memory.join(() => {}), memory.join(never), memory.join(never)]
  const stored = holder.storing(await take(holder, 1))
  const controller = new AbortController()
  const gone = left.take(controller.signal)
  controller.abort(new Error('the client left'))
  stored()
  await expect(gone).rejects.toThrow('the client left')
  expect(await next.take(signal)).toBeInstanceOf(Buffer)
})
