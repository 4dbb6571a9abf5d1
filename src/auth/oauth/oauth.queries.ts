import { sql } from 'kysely'
import type { Tx } from '../../db/database.ts'
import { hashSecret } from './secret.ts'

interface Grant {
  userId: string
  clientId: string
  scopes: readonly string[]
  /** Of the code that was exchanged for it. */
  codeHash: string | undefined
}

/** Begins a grant, or widens the one there is. What was issued before the last one ended stays dead. */
export async function saveGrant(trx: Tx, { userId, clientId, scopes, codeHash }: Grant): Promise<void> {
  await trx
    .insertInto('oauth_grant')
    .values({ user_id: userId, client_id: clientId, scopes: JSON.stringify(scopes) })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'client_id']).doUpdateSet({
        scopes: sql`case when oauth_grant.ended_at is not null then excluded.scopes else (
          select jsonb_agg(distinct scope) from jsonb_array_elements(oauth_grant.scopes || excluded.scopes) as scope
        ) end`,
        created_at: sql`case when oauth_grant.ended_at is null then oauth_grant.created_at else excluded.created_at end`,
        updated_at: sql`excluded.updated_at`,
        valid_after: sql`greatest(oauth_grant.valid_after, oauth_grant.ended_at)`,
        ended_at: null,
      }),
    )
    .execute()
  if (codeHash === undefined) return
  await trx
    .insertInto('oauth_redeemed_code')
    .values({ code_hash: codeHash, user_id: userId, client_id: clientId })
    .execute()
}

/** Whether a session is one in which an admin acts as its user. */
export async function isImpersonated(trx: Tx, sessionId: string): Promise<boolean> {
  const session = await trx
    .selectFrom('session')
    .select('id')
    .where('id', '=', sessionId)
    .where('impersonated_by', 'is not', null)
    .executeTakeFirst()
  return session !== undefined
}

/** Ends the access tokens of the grant for which a code was exchanged before. @see RFC 6749 section 4.1.2 */
export async function endTokensOfCode(trx: Tx, codeHash: string): Promise<void> {
  await sql`
    update oauth_grant as g set valid_after = clock_timestamp() from oauth_redeemed_code as c
    where c.code_hash = ${codeHash} and g.user_id = c.user_id and g.client_id = c.client_id`.execute(trx)
}

interface Delegation {
  user_id: string
  client_id: string
}

/** What a token or a code hangs on. */
interface Owner extends Delegation {
  session_id?: string | null
}

/** A refresh token that is presented, of which there is one use at a time. */
export interface HeldToken extends Delegation {
  id: string
  /** What its access tokens are for. */
  resources: string[]
}

/**
 * Keeps a refresh token of a client, and its grant, from being used by anybody else until the transaction ends.
 * @returns undefined when the client, which the transaction holds, has no such token
 */
export async function holdRefreshToken(
  trx: Tx,
  tokenHash: string,
  clientId: string | undefined,
): Promise<HeldToken | undefined> {
  if (clientId === undefined) return undefined
  const token = trx
    .selectFrom('oauth_refresh_token')
    .select(['id', 'user_id', 'client_id', 'session_id', sql<string[]>`coalesce(resources, '[]')`.as('resources')])
    .where('token', '=', tokenHash)
    .where('client_id', '=', clientId)
  const found = await token.executeTakeFirst()
  if (!found) return undefined
  await holdGrant(trx, found)
  await leaveSession(trx, found.id)
  return token.forUpdate().executeTakeFirst()
}

/**
 * Keeps an access token that has a row from being used up by anybody else until the transaction ends.
 * @returns whose it is, null of a client's own; undefined when the client has no such token
 */
export async function holdAccessToken(
  trx: Tx,
  tokenHash: string,
  clientId: string | undefined,
): Promise<{ user_id: string | null } | undefined> {
  if (clientId === undefined) return undefined
  return trx
    .selectFrom('oauth_access_token')
    .select('user_id')
    .where('token', '=', tokenHash)
    .where('client_id', '=', clientId)
    .forUpdate()
    .executeTakeFirst()
}

/** Once the session of offline access has run out, its tokens hang on the grant alone, as when it is deleted. */
async function leaveSession(trx: Tx, tokenId: string): Promise<void> {
  await trx
    .updateTable('oauth_refresh_token')
    .set({ session_id: null })
    .where('id', '=', tokenId)
    .where('session_id', 'in', (query) =>
      query.selectFrom('session').select('id').where('expires_at', '<=', sql<Date>`current_timestamp`),
    )
    .execute()
}

/** What is known of a code that is presented. */
export interface HeldCode {
  /** For whom it was given, and to which. */
  user_id: string
  client_id: string
  /** What access tokens for it are for; undefined once it was exchanged. */
  resources?: string[]
  /** Whether it was exchanged so long ago that it is found in some log rather than stolen on its way. */
  is_old: boolean
}

/**
 * The same for a code, and for the grant for which it was exchanged, or is to be. Of another client's no grant is held.
 * @returns undefined when nothing is known of it
 */
export async function holdCode(trx: Tx, codeHash: string, clientId: string | undefined): Promise<HeldCode | undefined> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${codeHash}, 0))`.execute(trx)
  const redeemed = await trx
    .selectFrom('oauth_redeemed_code')
    .select(['user_id', 'client_id', sql<boolean>`redeemed_at <= now() - interval '1 hour'`.as('is_old')])
    .where('code_hash', '=', codeHash)
    .executeTakeFirst()
  const found = redeemed ?? (await findPending(trx, codeHash))
  if (found && found.client_id === clientId) await holdGrant(trx, found)
  return found
}

function findPending(trx: Tx, codeHash: string): Promise<(Owner & HeldCode) | undefined> {
  return trx
    .selectFrom('verification')
    .select(sql<string>`value::jsonb ->> 'userId'`.as('user_id'))
    .select([sql<string>`value::jsonb -> 'query' ->> 'client_id'`.as('client_id'), sql<boolean>`false`.as('is_old')])
    .select(sql<string[]>`value::jsonb -> 'resource'`.as('resources'))
    .where('identifier', '=', hashSecret(codeHash))
    .where('value', 'like', '{"type":"authorization\\_code"%')
    .executeTakeFirst()
}

/** In the order in which a ban, a sign-out and the end of a grant come to the tokens: so none waits for the other's end. */
async function holdGrant(trx: Tx, { user_id, client_id, session_id }: Owner): Promise<void> {
  // One at a time: shared by turns it would keep a ban waiting for ever.
  await trx.selectFrom('user').select('id').where('id', '=', user_id).forNoKeyUpdate().execute()
  if (session_id) await trx.selectFrom('session').select('id').where('id', '=', session_id).forKeyShare().execute()
  await trx
    .selectFrom('oauth_grant')
    .select('user_id')
    .where('user_id', '=', user_id)
    .where('client_id', '=', client_id)
    .forUpdate()
    .execute()
}

/** Ends the access tokens of a grant, as a new refresh brings others: those that have a row, and those that have none. */
export async function endAccessTokens(trx: Tx, { user_id, client_id }: Delegation): Promise<void> {
  await trx.deleteFrom('oauth_access_token').where('user_id', '=', user_id).where('client_id', '=', client_id).execute()
  await trx
    .updateTable('oauth_grant')
    .set({ valid_after: sql`clock_timestamp()` })
    .where('user_id', '=', user_id)
    .where('client_id', '=', client_id)
    .execute()
}

/**
 * The same, where a refresh token is gone: it was used a second time, and all of its family was deleted.
 * @returns whether it is gone
 */
export async function endTokensOfFamily(trx: Tx, token: HeldToken): Promise<boolean> {
  const left = await trx.selectFrom('oauth_refresh_token').select('id').where('id', '=', token.id).executeTakeFirst()
  if (!left) await endAccessTokens(trx, token)
  return !left
}

/** Ends an access token before its time. */
export async function revokeToken(trx: Tx, jti: string, expiresAt: Date): Promise<void> {
  await trx
    .insertInto('oauth_revoked_token')
    .values({ jti, expires_at: expiresAt })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Keeps a client from being changed or deleted until the transaction ends. To be called before any user is held. */
export async function holdClient(trx: Tx, clientId: string | null | undefined): Promise<void> {
  if (clientId) await sql`select hold_client(${clientId})`.execute(trx)
}

/** Waits until nothing is under way for a client, nor begins until the transaction ends. */
export async function excludeClient(trx: Tx, clientId: string): Promise<void> {
  await sql`select lock_client(${clientId})`.execute(trx)
}
