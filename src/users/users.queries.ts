import { type SelectQueryBuilder, sql } from 'kysely'
import { isBanned } from '../auth/authority.queries.ts'
import { countRows, type Total } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import type { DB } from '../db/schema.ts'
import type { Position } from '../http/cursor.ts'
import { type UserRow, userColumns } from '../resources/user.ts'

/** What users must match; what is undefined matches all. */
export interface UserFilter {
  q?: string | undefined
  email?: string | undefined
  role?: string | undefined
  banned?: boolean | undefined
  emailVerified?: boolean | undefined
  provider?: string | undefined
  createdAfter?: Date | undefined
  createdBefore?: Date | undefined
}

export type UserSort = keyof typeof sorts

const sorts = {
  createdAt: { column: 'created_at', descending: false },
  '-createdAt': { column: 'created_at', descending: true },
  email: { column: 'email', descending: false },
  '-email': { column: 'email', descending: true },
  name: { column: 'name', descending: false },
  '-name': { column: 'name', descending: true },
} as const

/** One user, or undefined. */
export function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return userOf(db, id).executeTakeFirst()
}

function userOf(db: Db, id: string) {
  return db.selectFrom('user').select(userColumns).select(isBanned).where('id', '=', id)
}

/** The users that match, after a position in the sort order: at most `limit` of them. */
export function listUsers(
  db: Db,
  filter: UserFilter,
  page: { sort: UserSort; after: Position | undefined; limit: number },
): Promise<UserRow[]> {
  const { column, descending } = sorts[page.sort]
  const direction = descending ? 'desc' : 'asc'
  let query = matching(db, filter).select(userColumns).select(isBanned)
  if (page.after) {
    const [value, id] = page.after
    const bound = column === 'created_at' ? new Date(value) : value
    // A row value, so that the index on (column, id) serves the page however deep it is.
    query = query.where(
      sql<boolean>`(${sql.ref(`user.${column}`)}, "user".id) ${sql.raw(descending ? '<' : '>')} (${bound}, ${id})`,
    )
  }
  return query.orderBy(`user.${column}`, direction).orderBy('user.id', direction).limit(page.limit).execute()
}

/** Where a page that ends with this row is continued. */
export function positionOf(row: UserRow, sort: UserSort): Position {
  const value = row[sorts[sort].column]
  return [value instanceof Date ? value.getTime() : value, row.id]
}

/** How many users match. */
export function countUsers(db: Db, filter: UserFilter): Promise<Total> {
  return countRows(db, matching(db, filter).select('user.id'))
}

function matching(db: Db, filter: UserFilter): SelectQueryBuilder<DB, 'user', object> {
  const { q, email, role, banned, emailVerified, provider, createdAfter, createdBefore } = filter
  let query: SelectQueryBuilder<DB, 'user', object> = db.selectFrom('user')
  if (q !== undefined) {
    const pattern = `%${q.replaceAll(/[\\%_]/g, '\\$&')}%`
    query = query.where(sql<boolean>`("user".email ilike ${pattern} or "user".name ilike ${pattern})`)
  }
  if (email !== undefined) query = query.where('user.email', '=', email)
  if (role !== undefined) query = query.where('user.role', '=', role)
  if (banned !== undefined) query = query.where(sql<boolean>`is_banned("user".banned, "user".ban_expires) = ${banned}`)
  if (emailVerified !== undefined) query = query.where('user.email_verified', '=', emailVerified)
  if (createdAfter) query = query.where('user.created_at', '>', createdAfter)
  if (createdBefore) query = query.where('user.created_at', '<', createdBefore)
  if (provider !== undefined) {
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('account')
          .select('account.id')
          .whereRef('account.user_id', '=', 'user.id')
          .where('account.provider_id', '=', provider),
      ),
    )
  }
  return query
}

/** What to change of a user; what is undefined stays. */
export interface UserChange {
  name?: string | undefined
  image?: string | null | undefined
  email?: string | undefined
  emailVerified?: boolean | undefined
}

/** Changes what is given of a user, who exists. A new address counts as unverified unless it is said to be. */
export async function updateUser(db: Db, id: string, { emailVerified, ...change }: UserChange): Promise<UserRow> {
  const verified =
    emailVerified ?? (change.email === undefined ? undefined : sql<boolean>`email_verified and email = ${change.email}`)
  await db
    .updateTable('user')
    .set({ ...change, ...(verified !== undefined && { email_verified: verified }), updated_at: new Date() })
    .where('id', '=', id)
    .execute()
  return userOf(db, id).executeTakeFirstOrThrow()
}

/** Gives a user a role. */
export async function setRole(db: Db, id: string, role: string): Promise<UserRow> {
  await db.updateTable('user').set({ role, updated_at: new Date() }).where('id', '=', id).execute()
  return userOf(db, id).executeTakeFirstOrThrow()
}

/** Bans a user until `expires`, or without end. The database ends their sessions with it. */
export async function banUser(db: Db, id: string, reason: string | null, expires: Date | null): Promise<UserRow> {
  await db
    .updateTable('user')
    .set({ banned: true, ban_reason: reason, ban_expires: expires, updated_at: new Date() })
    .where('id', '=', id)
    .execute()
  return userOf(db, id).executeTakeFirstOrThrow()
}

/** Lifts a ban; a user who is not banned stays as they are. */
export async function unbanUser(db: Db, id: string): Promise<UserRow> {
  await db
    .updateTable('user')
    .set({ banned: false, ban_reason: null, ban_expires: null, updated_at: new Date() })
    .where('id', '=', id)
    .where('banned', '=', true)
    .execute()
  return userOf(db, id).executeTakeFirstOrThrow()
}

/** Deletes a user with everything of theirs. */
export async function deleteUser(db: Db, id: string): Promise<void> {
  await db.deleteFrom('user').where('id', '=', id).execute()
}
