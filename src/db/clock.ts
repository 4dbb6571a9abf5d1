import { sql } from 'kysely'
import type { Db } from './database.ts'
import { outsideRequests } from './shared-work.ts'

/** A clock that all instances of one database share. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now: () => number
  close: () => void
}

const everyMs = 30_000
// A wall clock that was set, or a machine that slept.
const jumpMs = 1_000
// What took longer was late somewhere, nobody knows where.
const quickMs = 1_000
const attempts = 3

/** What the database answered: it was between `from` and `to`, in milliseconds since the epoch, at `steady` of `performance`. */
interface Answer {
  from: number
  to: number
  steady: number
  /** What the clock of this machine said then. */
  wall: number
}

/**
 * Follows the clock of the database: that of this machine may be minutes away, or be set while the service runs. It is
 * asked now and then, and goes on by itself in between. A slow answer counts only where it proves the clock to be wrong.
 * @throws what the database answers when it is asked for the first time
 */
export async function followDatabaseClock(db: Db): Promise<Clock> {
  let known = await firstAnswer(db)
  let asking: Promise<void> | undefined
  const timer = setInterval(askAgain, everyMs).unref()

  function askAgain(): void {
    // For all requests, though one of them may notice the jump.
    asking ??= outsideRequests(() => ask(db))
      .then((answer) => {
        if (isQuick(answer) || !isWithin(answer, timeAt(known, answer.steady))) known = answer
      })
      // What was known goes on.
      .catch(() => {})
      .finally(() => {
        asking = undefined
      })
  }

  return {
    now() {
      const steady = performance.now()
      if (Math.abs(Date.now() - known.wall - (steady - known.steady)) > jumpMs) askAgain()
      return timeAt(known, steady)
    },
    close: () => clearInterval(timer),
  }
}

async function ask(db: Db): Promise<Answer> {
  const before = performance.now()
  const { ms } = await db
    .selectNoFrom(sql<number>`(extract(epoch from clock_timestamp()) * 1000)::float8`.as('ms'))
    .executeTakeFirstOrThrow()
  const steady = performance.now()
  return { from: ms, to: ms + steady - before, steady, wall: Date.now() }
}

/** A quick answer, or the quickest of a few. */
async function firstAnswer(db: Db): Promise<Answer> {
  let best = await ask(db)
  for (let attempt = 1; attempt < attempts && !isQuick(best); attempt++) {
    const answer = await ask(db)
    if (answer.to - answer.from < best.to - best.from) best = answer
  }
  return best
}

function isQuick({ from, to }: Answer): boolean {
  return to - from < quickMs
}

function isWithin({ from, to }: Answer, time: number): boolean {
  return from <= time && time <= to
}

function timeAt({ from, to, steady: then }: Answer, steady: number): number {
  return (from + to) / 2 + steady - then
}
