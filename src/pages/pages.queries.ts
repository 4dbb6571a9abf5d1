import type { Db } from '../db/database.ts'

/** Why and until when the user with an address is banned. For who has shown that they are that user. */
export async function findBan(
  db: Db,
  email: string,
): Promise<{ reason: string | null; expires: Date | null } | undefined> {
  const user = await db
    .selectFrom('user')
    .select(['ban_reason', 'ban_expires'])
    .where('email', '=', email.toLowerCase())
    .executeTakeFirst()
  return user && { reason: user.ban_reason, expires: user.ban_expires }
}
