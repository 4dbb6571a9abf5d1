import { randomUUID } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../../src/db/database.ts'
import type { Swept } from '../../src/upkeep/upkeep.queries.ts'

/** Makes so many rows of a kind at once, whose time was over so many seconds ago. Returns their ids. */
export type MakeRows = (kind: Swept, secondsAgo: number, count?: number) => Promise<string[]>

const offline = '["openid", "offline_access"]'

/** What rows hang on, and how to make them: by one user, client and grant. */
export async function rowMaker(db: Db): Promise<{ make: MakeRows; userId: string; clientId: string }> {
  const [userId, clientId] = [randomUUID(), randomUUID()]
  await sql`insert into "user" (id, name, email) values (${userId}, 'Ada', ${`${userId}@example.com`})`.execute(db)
  await sql`insert into oauth_client (id, client_id, redirect_uris) values (${clientId}, ${clientId}, '[]')`.execute(db)
  await sql`insert into oauth_grant (user_id, client_id, scopes) values (${userId}, ${clientId}, ${offline})`.execute(
    db,
  )

  async function make(kind: Swept, secondsAgo: number, count = 1): Promise<string[]> {
    const prefix = randomUUID()
    const id = sql`${`${prefix}-`} || n`
    const at = sql`now() - ${secondsAgo} * interval '1 second'`
    const all = sql`generate_series(1, ${count}::int) as n`
    await insertion(kind, { id, at, all }).execute(db)
    return Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`)
  }

  function insertion(kind: Swept, { id, at, all }: Record<'id' | 'at' | 'all', RawBuilder<unknown>>) {
    const owner = sql`${clientId}, ${userId}`
    switch (kind) {
      case 'session':
        return sql`insert into session (id, token, user_id, created_at, updated_at, expires_at)
          select ${id}, ${id}, ${userId}, now() - interval '9 days', now(), ${at} from ${all}`
      case 'verification':
        return sql`insert into verification (id, identifier, value, expires_at) select ${id}, ${id}, ${id}, ${at} from ${all}`
      case 'accessToken':
        return sql`insert into oauth_access_token (id, token, client_id, user_id, expires_at, created_at, scopes)
          select ${id}, ${id}, ${owner}, ${at}, now(), '[]'::jsonb from ${all}`
      case 'refreshToken':
        return sql`insert into oauth_refresh_token (id, token, client_id, user_id, expires_at, created_at, scopes)
          select ${id}, ${id}, ${owner}, ${at}, now(), ${offline}::jsonb from ${all}`
      case 'clientAssertion':
        return sql`insert into oauth_client_assertion (id, expires_at) select ${id}, ${at} from ${all}`
      case 'revokedToken':
        return sql`insert into oauth_revoked_token (jti, expires_at) select ${id}, ${at} from ${all}`
      case 'redeemedCode':
        return sql`insert into oauth_redeemed_code (code_hash, client_id, user_id, redeemed_at)
          select ${id}, ${owner}, ${at} from ${all}`
      case 'requestCount':
        return sql`insert into request_count (key, requests, ends_at) select ${id}, 1, ${at} from ${all}`
      case 'passwordAttempt':
        return sql`insert into password_attempt (key, attempts, ends_at) select ${id}, 1, ${at} from ${all}`
      case 'knownAddress':
        return sql`insert into known_address (user_id, block, last_used_at) select ${userId}, ${id}, ${at} from ${all}`
      case 'rateLimit':
        return sql`insert into rate_limit (id, key, count, last_request)
          select ${id}, ${id}, 1, extract(epoch from ${at}) * 1000 from ${all}`
    }
  }
  return { make, userId, clientId }
}

const places: Record<Swept, [table: string, key: string]> = {
  session: ['session', 'id'],
  verification: ['verification', 'id'],
  accessToken: ['oauth_access_token', 'id'],
  refreshToken: ['oauth_refresh_token', 'id'],
  clientAssertion: ['oauth_client_assertion', 'id'],
  revokedToken: ['oauth_revoked_token', 'jti'],
  redeemedCode: ['oauth_redeemed_code', 'code_hash'],
  requestCount: ['request_count', 'key'],
  passwordAttempt: ['password_attempt', 'key'],
  knownAddress: ['known_address', 'block'],
  rateLimit: ['rate_limit', 'id'],
}

/** Which of these rows are there still. */
export async function left(db: Db, kind: Swept, ids: string[]): Promise<string[]> {
  const [table, key] = places[kind]
  const { rows } = await sql<{ id: string }>`
    select ${sql.ref(key)} as id from ${sql.table(table)} where ${sql.ref(key)} = any(${ids}::text[])`.execute(db)
  return ids.filter((id) => rows.some((row) => row.id === id))
}
