import { sql } from 'kysely'
import type { Db } from './database.ts'

const everyMs = 10_000
// A file of the log holds 16 MB, and a checkpoint prepares the next when three quarters are used.
const bytesBetween = 4 * 1_024 * 1_024

/**
 * Has the embedded database write its pages now and then, which no process of its own does: else its log of writes grows
 * until it is closed, all of which is read again after a crash. Old files of the log are used again, so that it needs no
 * room on a disk that is full, without which the database would end.
 * @returns ends that
 */
export function keepLogShort(db: Db, onError: (error: Error) => void): () => void {
  let last = 0
  async function write(): Promise<void> {
    const { bytes } = await db
      .selectNoFrom(sql<number>`pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8`.as('bytes'))
      .executeTakeFirstOrThrow()
    if (bytes - last < bytesBetween) return
    await sql`checkpoint`.execute(db)
    last = bytes
  }
  const timer = setInterval(() => void write().catch(onError), everyMs).unref()
  return () => clearInterval(timer)
}
