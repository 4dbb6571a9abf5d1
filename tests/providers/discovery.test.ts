import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createDiscovery } from '../../src/auth/providers/discovery.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

/** A discovery whose questions a test answers. */
function start() {
  const questions: { answer: (value: string) => void; fail: () => void }[] = []
  const discovered = createDiscovery(
    () =>
      new Promise<string>((resolve, reject) => {
        questions.push({ answer: resolve, fail: () => reject(new Error('down')) })
      }),
  )
  return { discovered, questions }
}

/** Lets what was answered be known. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('whoever comes while it is asked waits for the same answer', async () => {
  const { discovered, questions } = start()

  const waiting = [discovered(), discovered()]
  questions[0]?.answer('known')

  expect(await Promise.all(waiting)).toEqual(['known', 'known'])
  expect(questions).toHaveLength(1)
})

test('it is asked again after an hour, and nobody waits for that', async () => {
  const { discovered, questions } = start()
  const first = discovered()
  questions[0]?.answer('old')
  await first

  vi.advanceTimersByTime(3_599_000)
  expect([await discovered(), questions.length]).toEqual(['old', 1])
  vi.advanceTimersByTime(2_000)
  expect([await discovered(), await discovered(), questions.length]).toEqual(['old', 'old', 2])
  questions[1]?.answer('new')
  await settle()

  expect([await discovered(), questions.length]).toEqual(['new', 2])
})

test('what is known counts when it cannot be known anew', async () => {
  const { discovered, questions } = start()
  const first = discovered()
  questions[0]?.answer('old')
  await first

  vi.advanceTimersByTime(3_601_000)
  await discovered()
  questions[1]?.fail()
  await settle()

  expect([await discovered(), questions.length]).toEqual(['old', 2])
})

test('after a failure it is asked again when it is needed', async () => {
  const { discovered, questions } = start()
  const first = discovered()
  questions[0]?.fail()
  await expect(first).rejects.toThrow('down')

  const second = discovered()
  questions[1]?.answer('known')

  expect(await second).toBe('known')
})
