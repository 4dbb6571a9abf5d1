import type { KyselyPlugin } from 'kysely'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { followDatabaseClock } from '../../src/db/clock.ts'
import type { Db } from '../../src/db/database.ts'
import { reportOutage, throwOutage } from '../../src/db/outage.ts'
import { counted, withPatience } from '../../src/db/patience.ts'
import { startServiceForFile } from '../support/harness.ts'

const { db } = await startServiceForFile()

const everyMs = 30_000
let time = 0
let wallAheadMs = 0

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  ;[time, wallAheadMs] = [1_000_000, 0]
  vi.spyOn(performance, 'now').mockImplementation(() => time)
  vi.spyOn(Date, 'now').mockImplementation(() => time + wallAheadMs)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** Follows a clock whose answers take so long, in turn, and then none; it is `aheadMs` ahead of the steady one. */
async function follow(delays: (number | 'down')[], aheadMs = { of: 500_000 }) {
  let asked = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      const ms = time + aheadMs.of
      // All of it on the way back: the worst there is.
      const delay = delays[asked++] ?? 0
      if (delay === 'down') {
        // As the pool does.
        const failure = new Error('The database is down')
        reportOutage(failure)
        throw failure
      }
      time += delay
      return { ...result, rows: [{ ms }] }
    },
  }
  const clock = await followDatabaseClock(db.withPlugin(plugin) as Db)
  onTestFinished(clock.close)
  /** How far it is from the clock of the database. */
  const error = () => clock.now() - (time + aheadMs.of)
  /** Lets it ask the next time. */
  const askAgain = async () => {
    const before = asked
    vi.advanceTimersByTime(everyMs)
    await expect.poll(() => asked).toBe(before + 1)
    await new Promise(setImmediate)
  }
  return { clock, error, askAgain, asked: () => asked, aheadMs }
}

test('it goes on by itself, and asks the database anew when the clock of this machine was set', async () => {
  const { clock, error, asked } = await follow([])
  expect(asked()).toBe(1)
  time += 20_000
  expect(error()).toBe(0)
  expect(asked()).toBe(1)

  wallAheadMs = 3_600_000
  expect(error()).toBe(0)
  clock.now()
  await expect.poll(asked).toBe(2)
})

test('of the first answers a quick one counts, or the quickest of three', async () => {
  const one = await follow([8_000, 40, 0])
  expect([one.asked(), one.error()]).toEqual([2, -20])
  const slow = await follow([8_000, 3_000, 4_000])
  expect([slow.asked(), slow.error()]).toEqual([3, -1_500])
})

test('a slow answer does not replace a better one, but where it proves that to be wrong', async () => {
  const { error, askAgain, aheadMs } = await follow([40, 8_000, 8_000, 200])
  expect(error()).toBe(-20)
  await askAgain()
  expect(error()).toBe(-20)

  aheadMs.of += 60_000
  await askAgain()
  expect(error()).toBe(-4_000)
  await askAgain()
  expect(error()).toBe(-100)
})

test('a jump that cannot be asked about is no failure of the request that noticed it', async () => {
  const { clock, asked, aheadMs } = await follow([0, 'down'])
  wallAheadMs = 3_600_000

  const work = async () => {
    const now = clock.now()
    await expect.poll(asked).toBe(2)
    return now
  }
  expect(await throwOutage(work)).toBe(time + aheadMs.of)
})

test('a jump is asked about though the request that noticed it has no patience left', async () => {
  const { clock, asked } = await follow([])
  wallAheadMs = 3_600_000
  await withPatience(async () => {
    await counted(async () => void (time += 5_000))
    clock.now()
  })
  await expect.poll(asked).toBe(2)
})
