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

/** Keeps a one-time link, and forgets those that are too old. */
export async function insertSetupLink(db: Db, tokenHash: string, expiresAt: Date): Promise<void> {
  await db.deleteFrom('setup_link').where('expires_at', '<', new Date()).execute()
  await db.insertInto('setup_link').values({ token_hash: tokenHash, expires_at: expiresAt }).execute()
}

/** Whether a one-time link is good: known, not too old, and there is no admin yet. */
export async function isSetupLinkGood(db: Db, tokenHash: string): Promise<boolean> {
  const link = await db
    .selectFrom('setup_link')
    .select('token_hash')
    .where('token_hash', '=', tokenHash)
    .where('expires_at', '>', new Date())
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom('user').select('id').where('role', '=', 'admin'))))
    .executeTakeFirst()
  return link !== undefined
}

/** Uses a one-time link up, and with it every other; false when it is not good any more. */
export async function takeSetupLink(db: Db, tokenHash: string): Promise<boolean> {
  const isGood = await isSetupLinkGood(db, tokenHash)
  if (isGood) await db.deleteFrom('setup_link').execute()
  return isGood
}
