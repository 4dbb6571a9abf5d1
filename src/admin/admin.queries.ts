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

export function findByEmail(db: Db, email: string) {
  return db.selectFrom('user').select(['id', 'role']).where('email', '=', email).executeTakeFirst()
}

export async function grantRole(db: Db, id: string, role: string): Promise<void> {
  await db.updateTable('user').set({ role, updated_at: new Date() }).where('id', '=', id).execute()
}
