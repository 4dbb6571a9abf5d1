import type { Db } from '../db/database.ts'

/** The linked sign-in methods of a user: no token, no hash. */
export function listAccounts(db: Db, userId: string) {
  return db
    .selectFrom('account')
    .select(['id', 'provider_id', 'account_id', 'scope', 'created_at', 'updated_at'])
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}
