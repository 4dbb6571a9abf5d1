import { randomUUID } from 'node:crypto'
import { type Insertable, type Selectable, sql } from 'kysely'
import type { Db, Tx } from '../../db/database.ts'
import type { JwksTable } from '../../db/schema.ts'

export type KeyRow = Selectable<JwksTable>

/** All keys, in the order in which they begin to sign. */
export function findKeys(db: Db): Promise<KeyRow[]> {
  return db.selectFrom('jwks').selectAll().orderBy('active_at').orderBy('id').execute()
}

/** Lets one instance at a time decide whether a key is to be made. */
export async function lockKeys(trx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(4207849486)`.execute(trx)
}

/** Adds a key pair, under an id that no other has. */
export async function insertKey(trx: Tx, key: Omit<Insertable<JwksTable>, 'id' | 'created_at'>): Promise<void> {
  await trx
    .insertInto('jwks')
    .values({ id: randomUUID(), created_at: new Date(), ...key })
    .execute()
}

/** Removes the keys that nobody accepts any more. */
export async function deleteRetiredKeys(db: Db, endedBefore: Date): Promise<void> {
  const retired = db.selectFrom('jwks').select('id').where('expires_at', '<', endedBefore)
  // A statement that removes none would still tell every instance of it.
  if (await retired.executeTakeFirst()) await db.deleteFrom('jwks').where('expires_at', '<', endedBefore).execute()
}
