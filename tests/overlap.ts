import { sql } from 'kysely'
import { vi } from 'vitest'
import type { Db, Tx } from '../src/db/database.ts'

/** Runs `first` in a transaction, which goes on with `rest`, and ends, once `second` waits for it or is done. */
export async function overlap<T>(
  db: Db,
  first: (trx: Tx) => Promise<unknown>,
  second: () => Promise<T>,
  rest: (trx: Tx) => Promise<unknown> = () => Promise.resolve(),
): Promise<T> {
  const { running } = await db.transaction().execute(async (trx) => {
    await first(trx)
    let isDone = false
    const running = second().finally(() => {
      isDone = true
    })
    await vi.waitUntil(async () => isDone || (await isAnyoneWaiting(db)), { timeout: 5_000 })
    await rest(trx)
    return { running }
  })
  return running
}

/** Whether somebody waits for a lock in this database. */
export async function isAnyoneWaiting(db: Db): Promise<boolean> {
  const waiting = sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return (await waiting.execute(db)).rows[0]?.n !== 0
}

// How many connections a service opens at most.
const connections = 10

/** How many deadlocks PostgreSQL has resolved in this database: the service tries again, so that its callers see none. */
export async function countDeadlocks(db: Db): Promise<number> {
  // Each connection keeps its own numbers for a while, unless it is told to add them now.
  let arrived = 0
  let go = () => {}
  const everybody = new Promise<void>((resolve) => {
    go = resolve
  })
  const flush = (one: Db) => sql`select pg_stat_force_next_flush()`.execute(one)
  const flushed = Array.from({ length: connections }, () =>
    db.connection().execute(async (one) => {
      arrived += 1
      if (arrived === connections) go()
      await everybody
      await flush(one)
    }),
  )
  await Promise.all(flushed)
  const counted = sql<{ n: number }>`select deadlocks as n from pg_stat_database where datname = current_database()`
  return (await counted.execute(db)).rows[0]?.n ?? Number.NaN
}
