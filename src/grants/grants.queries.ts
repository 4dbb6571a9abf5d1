import { sql } from 'kysely'
import type { Db, Tx } from '../db/database.ts'
import type { GrantRow } from '../resources/grant.ts'

/** What clients may do for a user, latest begun first: what they were given, and what they would be given unasked. */
export function listGrants(db: Db, userId: string, clientId?: string): Promise<GrantRow[]> {
  const given = db
    .selectFrom('oauth_grant')
    .select(['client_id', 'created_at', 'updated_at', sql<string[]>`scopes`.as('scopes')])
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
  // A consent whose code is not exchanged yet.
  const consented = db
    .selectFrom('oauth_consent')
    .distinctOn('client_id')
    .select(['client_id', 'created_at', 'updated_at', sql<string[]>`scopes`.as('scopes')])
    .where('user_id', '=', userId)
    .where('client_id', 'not in', given.clearSelect().select('client_id'))
  const grants = db
    .selectFrom(given.unionAll(consented).as('grant'))
    .innerJoin('oauth_client', 'oauth_client.client_id', 'grant.client_id')
    .select(['grant.client_id', 'oauth_client.name', 'oauth_client.uri', 'oauth_client.is_configured'])
    .select(['grant.created_at', 'grant.updated_at', 'grant.scopes'])
    .orderBy('grant.updated_at', 'desc')
    .orderBy('grant.client_id')
  return (clientId === undefined ? grants : grants.where('grant.client_id', '=', clientId)).execute()
}

/** Ends a grant, and by a trigger its tokens; its consent, and the codes that are under way. False when there is neither. */
export async function endGrant(trx: Tx, userId: string, clientId: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('oauth_grant')
    .set({ ended_at: sql`clock_timestamp()` })
    .where('user_id', '=', userId)
    .where('client_id', '=', clientId)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  const { numDeletedRows } = await trx
    .deleteFrom('oauth_consent')
    .where('user_id', '=', userId)
    .where('client_id', '=', clientId)
    .executeTakeFirst()
  await deleteCodes(trx, userId, clientId)
  return numUpdatedRows + numDeletedRows > 0n
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
