import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { counted, ImpatientError, waited, withPatience } from '../../src/db/patience.ts'

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
