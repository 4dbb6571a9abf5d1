import { throwConflict } from './conflicts.ts'
import type { Db, Tx } from './database.ts'
import { isConflict } from './failure.ts'

/** How often what the database refuses because of a conflict is tried in all. */
export const attempts = 3

/**
 * Runs `work` in one transaction at READ COMMITTED, again when the database resolved a conflict against it.
 * `work` must use the transaction it is given: the embedded database has one connection.
 */
export async function inTransaction<T>(db: Db, work: (trx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const transaction = db.transaction().setIsolationLevel('read committed')
      // Once within it, so that nothing is committed, and once around its commit, which may meet one, too.
      return await throwConflict(() => transaction.execute((trx) => throwConflict(() => work(trx))))
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error
    }
  }
}
