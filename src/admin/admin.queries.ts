import type { Db } from '../db/database.ts'

/** The users with the role `admin`, oldest first. */
export function listAdmins(db: Db) {
  return db
    .selectFrom('user')
    .select(['id', 'email', 'name', 'banned'])
    .where('role', '=', 'admin')
    .orderBy('created_at')
    .execute()
}

/** The user with an address, which is stored in lower case; undefined without one. */
export function findByEmail(db: Db, email: string) {
  return db.selectFrom('user').select(['id', 'role']).where('email', '=', email).executeTakeFirst()
}

/** Gives a user a role; the database refuses to lose the last admin. */
export async function grantRole(db: Db, id: string, role: string): Promise<void> {
  await db.updateTable('user').set({ role, updated_at: new Date() }).where('id', '=', id).execute()
}
