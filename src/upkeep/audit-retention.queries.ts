import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'

// Who writes waits for it. Each removal is an event of its own, so that only whole days go.
const batchSize = 1_000

/**
 * Removes up to 1,000 of the oldest events of the audit log that are from before a day, so many days ago; of UTC, so that
 * there is something to remove once a day.
 * @returns whether there may be more
 */
export function pruneAuditLog(db: Db, days: number): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const before = sql`date_trunc('day', now() at time zone 'UTC' - make_interval(days => ${days})) at time zone 'UTC'`
    const { rows } = await sql<{ removed: number }>`select audit_prune(${before}, ${batchSize}) as removed`.execute(trx)
    return rows[0]?.removed === batchSize
  })
}
