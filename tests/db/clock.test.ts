import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { followDatabaseClock } from '../../src/db/clock.ts'
import { startServiceForFile } from '../support/harness.ts'

const query = vi.spyOn(pg.Client.prototype, 'query')
const { db } = await startServiceForFile()

const asked = () => query.mock.calls.filter(([text]) => JSON.stringify(text).includes('from clock_timestamp()')).length

test('it goes on by itself, and asks the database anew when the clock of this machine was set', async () => {
  const clock = await followDatabaseClock(db)
  onTestFinished(() => {
    clock.close()
    vi.restoreAllMocks()
  })
  const before = clock.now()
  const questions = asked()
  expect(clock.now()).toBeGreaterThanOrEqual(before)
  expect(asked()).toBe(questions)

  const hourLater = Date.now() + 3_600_000
  vi.spyOn(Date, 'now').mockReturnValue(hourLater)
  expect(clock.now()).toBeLessThan(hourLater - 1_800_000)
  await expect.poll(asked).toBe(questions + 1)
})
