import type { Db, Tx } from './database.ts'
import { isConflict } from './failure.ts'

const attempts = 3

/**
 * Runs `work` in one transaction at READ COMMITTED, again when the database resolved a conflict against it.
 * `work` must use the transaction it is given: the embedded database has one connection.
 */
export async function inTransaction<T>(db: Db, work: (trx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().setIsolationLevel('read committed').execute(work)
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error
    }
  }
}
