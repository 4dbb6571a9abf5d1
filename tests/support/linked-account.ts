import { randomUUID } from 'node:crypto'
import type { Insertable } from 'kysely'
import type { Db } from '../../src/db/database.ts'
import type { DB } from '../../src/db/schema.ts'

/** Gives a user another way to sign in, at GitHub where `values` say nothing else. Returns its row. */
export async function linkAccount(db: Db, user_id: string, values: Partial<Insertable<DB['account']>> = {}) {
  const own = { id: randomUUID(), account_id: randomUUID(), provider_id: 'github', user_id, updated_at: new Date() }
  const row = { ...own, ...values }
  await db.insertInto('account').values(row).execute()
  return row
}
