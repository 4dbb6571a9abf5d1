import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClock } from '../../src/db/notifications.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** The wall clock is set, the other goes on. */
const setWallBy = (ms: number) => vi.setSystemTime(Date.now() + ms)

/** A clock for which all has been heard until now. */
function heard() {
  const clock = createClock()
  clock.stamp()()
  return clock
}

test('nothing is current before anything was heard', () => {
  const clock = createClock()
  expect([clock.isCurrent(), clock.age()]).toEqual([false, Number.POSITIVE_INFINITY])
  clock.stamp()
  expect(clock.isCurrent()).toBe(false)
})

test('what was heard counts from when it was sent, for two seconds', () => {
  const clock = createClock()
  const arrive = clock.stamp()
  vi.advanceTimersByTime(1_500)
  arrive()
  expect([clock.isCurrent(), clock.age()]).toEqual([true, 1_500])
  vi.advanceTimersByTime(500)
  expect(clock.isCurrent()).toBe(true)
  vi.advanceTimersByTime(1)
  expect(clock.isCurrent()).toBe(false)
})

test('of two that are heard the wrong way round, the later counts', () => {
  const clock = createClock()
  const first = clock.stamp()
  vi.advanceTimersByTime(1_000)
  const second = clock.stamp()
  second()
  first()
  expect(clock.age()).toBe(0)
})

test.each([
  ['forward', 2_001],
  ['back', -2_001],
])('a wall clock that is set %s makes nothing current until the next is heard', (_way, ms) => {
  const clock = heard()
  setWallBy(ms)
  expect(clock.isCurrent()).toBe(false)
  vi.advanceTimersByTime(500)
  clock.stamp()()
  expect([clock.isCurrent(), clock.age()]).toEqual([true, 0])
})

test('R-30 a wall clock that is set while something is under way does not make it count for longer', () => {
  const clock = createClock()
  const arrive = clock.stamp()
  vi.advanceTimersByTime(1_500)
  setWallBy(-1_500)
  arrive()
  expect([clock.isCurrent(), clock.age()]).toEqual([true, 1_500])
  vi.advanceTimersByTime(501)
  expect(clock.isCurrent()).toBe(false)
})

test('R-30 what was sent before a machine slept is not current when it wakes', () => {
  const clock = heard()
  const arrive = clock.stamp()
  // The steady clock stands still meanwhile, which is what only the wall clock tells.
  setWallBy(3_600_000)
  expect(clock.isCurrent()).toBe(false)
  arrive()
  expect(clock.isCurrent()).toBe(false)
})

test('a reset also outdates what is under way', () => {
  const clock = heard()
  const arrive = clock.stamp()
  clock.reset()
  expect([clock.isCurrent(), clock.age()]).toEqual([false, Number.POSITIVE_INFINITY])
  arrive()
  expect(clock.isCurrent()).toBe(false)
  clock.stamp()()
  expect(clock.isCurrent()).toBe(true)
})
