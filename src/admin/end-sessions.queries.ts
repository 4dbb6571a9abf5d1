import { endTokens } from '../auth/authority/authority.queries.ts'
import type { Tx } from '../db/database.ts'

/**
 * Ends the sessions of up to `count` users, those after one by id, and all tokens that they hold, or that others hold for them.
 * @returns their ids, in order
 */
export async function endSessionsAfter(trx: Tx, after: string, count: number): Promise<string[]> {
  const users = await trx
    .selectFrom('user')
    .select('id')
    .where('id', '>', after)
    .orderBy('id')
    .limit(count)
    .forNoKeyUpdate()
    .execute()
  const ids = users.map(({ id }) => id)
  if (ids.length === 0) return ids
  await endTokens(trx, ids)
  await trx.deleteFrom('oauth_refresh_token').where('user_id', 'in', ids).execute()
  await trx.deleteFrom('session').where('user_id', 'in', ids).execute()
  return ids
}

/** Ends what is proven by a code or a mailed link that was not used yet, and every token that was signed. */
export async function endLinksAndKeys(trx: Tx): Promise<void> {
  await trx.deleteFrom('verification').execute()
  await trx.deleteFrom('setup_link').execute()
  await trx.deleteFrom('jwks').execute()
}
