import type { Db } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'
import { endLinksAndKeys, endSessionsAfter } from './end-sessions.queries.ts'

const batchSize = 500

/**
 * Ends every session, token, code and mailed link that there is, whosever it is: for a database that was restored from a
 * backup, in which they are as they were. A signing key is made with the next token.
 * @returns how many users there are
 */
export async function endAllSessions(db: Db): Promise<number> {
  // First, so that nothing that is left is worth anything meanwhile.
  await inTransaction(db, endLinksAndKeys)
  let [users, last]: [number, string | undefined] = [0, '']
  while (last !== undefined) {
    const after: string = last
    const ended = await inTransaction(db, (trx) => endSessionsAfter(trx, after, batchSize))
    users += ended.length
    last = ended.at(-1)
  }
  return users
}
