import { sql } from 'kysely'
import { isBanned } from '../auth/authority/authority.queries.ts'
import type { Db } from '../db/database.ts'
import { type UserRow, userColumns } from '../resources/user.ts'

/** One user, or undefined. */
export function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return userOf(db, id).executeTakeFirst()
}

function userOf(db: Db, id: string) {
  return db.selectFrom('user').select(userColumns).select(isBanned).where('id', '=', id)
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
