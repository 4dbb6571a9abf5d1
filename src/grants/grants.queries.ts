import { sql } from 'kysely'
import type { Db, Tx } from '../db/database.ts'
import type { GrantRow } from '../resources/grant.ts'

/** The grants of a user, latest used first. */
export function listGrants(db: Db, userId: string): Promise<GrantRow[]> {
  return db
    .selectFrom('oauth_grant')
    .innerJoin('oauth_client', 'oauth_client.client_id', 'oauth_grant.client_id')
    .select(['oauth_grant.client_id', 'oauth_client.name', 'oauth_client.uri', 'oauth_client.is_configured'])
    .select(['oauth_grant.created_at', 'oauth_grant.updated_at', sql<string[]>`oauth_grant.scopes`.as('scopes')])
    .where('oauth_grant.user_id', '=', userId)
    .where('oauth_grant.ended_at', 'is', null)
    .orderBy('oauth_grant.updated_at', 'desc')
    .orderBy('oauth_grant.client_id')
    .execute()
}

/** Ends a grant: its tokens, its consent and the codes that are under way. False when there is none. */
export async function endGrant(trx: Tx, userId: string, clientId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('oauth_grant')
    .set({ ended_at: sql`clock_timestamp()` })
    .where('user_id', '=', userId)
    .where('client_id', '=', clientId)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  for (const table of ['oauth_access_token', 'oauth_refresh_token', 'oauth_consent'] as const) {
    await trx.deleteFrom(table).where('user_id', '=', userId).where('client_id', '=', clientId).execute()
  }
  await deleteCodes(trx, userId, clientId)
  return numUpdatedRows > 0n
}

/** Codes are kept as text, in which a member of that value can stand nowhere but at its name. */
async function deleteCodes(trx: Tx, userId: string, clientId: string): Promise<void> {
  await trx
    .deleteFrom('verification')
    .where('value', 'like', '{"type":"authorization\\_code"%')
    .where(sql<boolean>`position(${`"userId":"${userId}"`} in value) > 0`)
    .where(sql<boolean>`position(${`"client_id":"${clientId}"`} in value) > 0`)
    .execute()
}
