import { sql } from 'kysely'
import type { Ban } from '../auth/ban-notice.ts'
import type { Db } from '../db/database.ts'

/** Why and until when the user with an address is banned. For who has shown that they are that user. */
export async function findBan(db: Db, email: string): Promise<Ban | undefined> {
  const user = await db
    .selectFrom('user')
    .select(['ban_reason', 'ban_expires'])
    .where('email', '=', email.toLowerCase())
    .executeTakeFirst()
  return user && { reason: user.ban_reason, expires: user.ban_expires }
}

/** Whether a client has registered an address to which people are led once they are signed out. */
export async function isPostLogoutUri(db: Db, clientId: string, uri: string): Promise<boolean> {
  const client = await db
    .selectFrom('oauth_client')
    .select('id')
    .where('client_id', '=', clientId)
    .where('disabled', '=', false)
    .where('enable_end_session', '=', true)
    .where(sql<boolean>`post_logout_redirect_uris ? ${uri}`)
    .executeTakeFirst()
  return client !== undefined
}
