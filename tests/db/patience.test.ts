import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { throwOutage } from '../../src/db/outage.ts'
import { counted, ImpatientError, waited, withPatience } from '../../src/db/patience.ts'
import { shareWork } from '../../src/db/shared-work.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const after = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), ms))

test('a request waits for four and a half seconds in all, in however many queries', async () => {
  const late = vi.fn<(value: string) => void>()
  const outcome = withPatience(async () => {
    expect(await waited(() => after(2_000, 'first'))).toBe('first')
    expect(await counted(() => after(2_000, 'second'))).toBe('second')
    return waited(() => after(2_000, 'third'), late).catch((error: unknown) => error)
  })
  await vi.advanceTimersByTimeAsync(4_499)
  expect(late).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect(await outcome).toBeInstanceOf(ImpatientError)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(late).toHaveBeenCalledExactlyOnceWith('third')
})

test('queries that a request waits for at the same time are counted once', async () => {
  const outcome = withPatience(async () => {
    for (let round = 0; round < 2; round++) {
      await Promise.all([2_000, 1_500, 2_000].map((ms) => waited(() => after(ms, undefined))))
    }
    return Promise.allSettled([400, 600].map((ms) => waited(() => after(ms, ms))))
  })
  await vi.advanceTimersByTimeAsync(4_600)
  expect(await outcome).toEqual([
    { status: 'fulfilled', value: 400 },
    { status: 'rejected', reason: expect.any(ImpatientError) as ImpatientError },
  ])
})

test('what is asked while something else is waited for has no more time than is left', async () => {
  const outcome = withPatience(async () => {
    const first = waited(() => after(4_000, undefined))
    await after(3_000, undefined)
    const second = waited(() => after(2_000, undefined)).catch((error: unknown) => error)
    await first
    return second
  })
  await vi.advanceTimersByTimeAsync(4_500)
  expect(await outcome).toBeInstanceOf(ImpatientError)
})

test('who begins a read for several waits for it no longer than for others, and the others go on without', async () => {
  let wait = (): Promise<string> => Promise.reject(new Error('not begun'))
  const first = withPatience(async () => {
    await counted(() => after(4_000, undefined))
    wait = shareWork(() => waited(() => after(3_000, 'read')))
    return wait().catch((error: unknown) => error)
  })
  await vi.advanceTimersByTimeAsync(4_000)
  const second = withPatience(() => wait())
  await vi.advanceTimersByTimeAsync(500)
  expect(await first).toBeInstanceOf(ImpatientError)
  await vi.advanceTimersByTimeAsync(2_500)
  expect(await second).toBe('read')
})

test('a read for several that fails is an outage for each of them, though they take it for an answer', async () => {
  const wait = shareWork(() => Promise.reject(new Error('lost')))
  const ask = () => throwOutage(() => wait().catch(() => 'nothing found'))
  expect(await Promise.allSettled([ask(), ask()])).toMatchObject(
    Array.from({ length: 2 }, () => ({ status: 'rejected' })),
  )
})

test('a read that fails when nobody waits for it any more harms nobody', async () => {
  const outcome = withPatience(async () => {
    await counted(() => after(5_000, undefined))
    return shareWork(() => Promise.reject(new Error('lost')))().catch((error: unknown) => error)
  })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await outcome).toBeInstanceOf(ImpatientError)
})

test('whose time is up asks for nothing more', async () => {
  const ask = vi.fn<() => Promise<void>>()
  const outcome = withPatience(async () => {
    await counted(() => after(5_000, undefined))
    return waited(ask).catch((error: unknown) => error)
  })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await outcome).toBeInstanceOf(ImpatientError)
  expect(ask).not.toHaveBeenCalled()
})

test('what fails fails at once, and work of no request waits as long as it takes', async () => {
  await expect(withPatience(() => waited(() => Promise.reject(new Error('no'))))).rejects.toThrow('no')
  const outcome = waited(() => after(60_000, 'done'))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await outcome).toBe('done')
})
