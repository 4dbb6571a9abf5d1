import { sql } from 'kysely'
import type { Db } from './database.ts'

/** A clock that all instances of one database share. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now: () => number
  close: () => void
}

const everyMs = 30_000
// A wall clock that was set, or a machine that slept.
const jumpMs = 1_000

/**
 * Follows the clock of the database: that of this machine may be minutes away, or be set while the service runs. It is
 * asked now and then, and goes on by itself in between.
 * @throws what the database answers when it is asked for the first time
 */
export async function followDatabaseClock(db: Db): Promise<Clock> {
  let known = await ask()
  let asking: Promise<void> | undefined
  const timer = setInterval(askAgain, everyMs).unref()

  async function ask() {
    const before = performance.now()
    const { ms } = await db
      .selectNoFrom(sql<number>`(extract(epoch from clock_timestamp()) * 1000)::float8`.as('ms'))
      .executeTakeFirstOrThrow()
    const steady = performance.now()
    // It was that late somewhere between question and answer.
    return { ms: ms + (steady - before) / 2, steady, wall: Date.now() }
  }

  function askAgain(): void {
    asking ??= ask()
      .then((answer) => {
        known = answer
      })
      // What was known goes on.
      .catch(() => {})
      .finally(() => {
        asking = undefined
      })
  }

  return {
    now() {
      const passed = performance.now() - known.steady
      if (Math.abs(Date.now() - known.wall - passed) > jumpMs) askAgain()
      return known.ms + passed
    },
    close: () => clearInterval(timer),
  }
}
