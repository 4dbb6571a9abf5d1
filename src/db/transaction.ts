import pg from 'pg'
import type { Db, Tx } from './database.ts'

const attempts = 3
const serializationFailure = '40001'
const deadlockDetected = '40P01'

/**
 * Runs `work` in one transaction at READ COMMITTED, again when the database resolved a conflict against it.
 * `work` must use the transaction it is given: the embedded database has one connection.
 */
export async function inTransaction<T>(db: Db, work: (trx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === serializationFailure || error.code === deadlockDetected)
}
