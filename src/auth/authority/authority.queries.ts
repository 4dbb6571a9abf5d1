import { sql } from 'kysely'
import type { Db, Tx } from '../../db/database.ts'
import { type UserRow, userColumns } from '../../resources/user.ts'

/** A user's authority now, with one session of theirs (all null without one). */
export interface AuthorityRow extends UserRow {
  valid_after: Date | null
  session_id: string | null
  session_created_at: Date | null
  session_expires_at: Date | null
  session_not_after: Date | null
  impersonated_by: string | null
}

/** The authority of a user, with the session of that id if it is theirs. */
export function findAuthority(db: Db, userId: string, sessionId: string | null): Promise<AuthorityRow | undefined> {
  return selectAuthorityOf(db, userId, sessionId).executeTakeFirst()
}

/** The query of `findAuthority`, to which more may be joined. */
export function selectAuthorityOf(db: Db, userId: string, sessionId: string | null) {
  return selectAuthority(db)
    .leftJoin('session', (join) => join.onRef('session.user_id', '=', 'user.id').on('session.id', '=', sessionId ?? ''))
    .select(sessionColumns)
    .where('user.id', '=', userId)
}

/** The authority of the user to whom a session token belongs. */
export function findAuthorityByToken(db: Db, token: string): Promise<AuthorityRow | undefined> {
  return selectAuthority(db)
    .innerJoin('session', 'session.user_id', 'user.id')
    .select(sessionColumns)
    .where('session.token', '=', token)
    .executeTakeFirst()
}

const sessionColumns = [
  'session.id as session_id',
  'session.created_at as session_created_at',
  'session.expires_at as session_expires_at',
  'session.not_after as session_not_after',
  'session.impersonated_by',
] as const

function selectAuthority(db: Db) {
  return db.selectFrom('user').select(userColumns).select('user.valid_after').select(isBanned)
}

/** The same as `findAuthority`, and nobody can change or ban the user until the transaction ends. */
export async function holdAuthority(
  trx: Db,
  userId: string,
  sessionId: string | null,
): Promise<AuthorityRow | undefined> {
  // Ahead, and not shared: whoever waited would judge by sessions of before, and by turns would keep a ban waiting.
  await trx.selectFrom('user').select('id').where('id', '=', userId).forNoKeyUpdate().execute()
  return findAuthority(trx, userId, sessionId)
}

/** Selects the effective ban: one that has expired is none. */
export const isBanned = sql<boolean>`is_banned("user".banned, "user".ban_expires)`.as('banned')

/** Serialises this transaction with every other change of authority, before it locks any row. */
export async function lockAuthority(trx: Tx): Promise<void> {
  await sql`select lock_authority()`.execute(trx)
}

/** The role of a user, held until the transaction of `db` ends. */
export async function lockRole(db: Db, userId: string): Promise<string | undefined> {
  const user = await db.selectFrom('user').select('role').where('id', '=', userId).forUpdate().executeTakeFirst()
  return user?.role
}

/**
 * Prolongs a session; the database keeps it within its absolute end.
 * @returns when it ends now; undefined when it is over already
 */
export async function slideSession(db: Db, sessionId: string, expiresAt: Date): Promise<Date | undefined> {
  const now = new Date()
  const session = await db
    .updateTable('session')
    .set({ expires_at: expiresAt, updated_at: now })
    .where('id', '=', sessionId)
    .where('expires_at', '>', now)
    .returning('expires_at')
    .executeTakeFirst()
  return session?.expires_at
}

/** Ends the tokens of users that have no session, and keeps their sessions as they are until the transaction ends. */
export async function endTokens(db: Db, userIds: readonly string[]): Promise<void> {
  const now = sql<Date>`greatest(clock_timestamp(), valid_after)`
  await db.updateTable('user').set({ valid_after: now }).where('id', 'in', userIds).execute()
  // As a sign-out does, which comes to the tokens by way of the session.
  await db.selectFrom('session').select('id').where('user_id', 'in', userIds).orderBy('id').forUpdate().execute()
  await db.deleteFrom('oauth_access_token').where('user_id', 'in', userIds).execute()
}

/**
 * Ends the sessions of a user, but for `spared`, those in which they act as others, and the tokens that have none. Returns how
 * many of their own were live.
 */
export async function endSessions(db: Db, userId: string, spared: string | null): Promise<number> {
  // The user first, as everywhere.
  await endTokens(db, [userId])
  const ended = await db
    .deleteFrom('session')
    .where((eb) => eb.or([eb('user_id', '=', userId), eb('impersonated_by', '=', userId)]))
    .where('id', 'is distinct from', spared)
    .returning(['user_id', 'expires_at'])
    .execute()
  const now = new Date()
  return ended.filter(({ user_id, expires_at }) => user_id === userId && expires_at > now).length
}

/** The address of a user; undefined without one. */
export async function findEmail(db: Db, userId: string): Promise<string | undefined> {
  return (await db.selectFrom('user').select('email').where('id', '=', userId).executeTakeFirst())?.email
}

/** Whether a user has this id. */
export async function userExists(db: Db, userId: string): Promise<boolean> {
  return (await db.selectFrom('user').select('id').where('id', '=', userId).executeTakeFirst()) !== undefined
}
