import { sql } from 'kysely'
import pg from 'pg'
import { vi } from 'vitest'
import type { Db, Tx } from '../../src/db/database.ts'

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

/**
 * Counts the deadlocks that PostgreSQL resolves against a connection that this process opens from now on: the service
 * tries again, so that its callers see none. The database's own count comes late, and can be asked for only since
 * version 15.
 * @returns how many there were so far
 */
export function watchDeadlocks(): () => number {
  const { query } = pg.Client.prototype
  let count = 0
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const answer = Reflect.apply(query, this, args) as unknown
    if (answer instanceof Promise) {
      answer.catch((error: { code?: string }) => {
        if (error.code === '40P01') count += 1
      })
    }
    return answer
  } as typeof query
  return () => count
}
