import { sql } from 'kysely'
import { afterAll } from 'vitest'
import { type Db, openDatabase } from '../../src/db/database.ts'
import type { UserFilter } from '../../src/users/user-conditions.queries.ts'
import { createTestDatabase, directUrl, startService, type TestService } from './harness.ts'

/** A generated user; which they are follows from their number. */
export interface GeneratedUser {
  id: string
  email: string
  name: string
  role: string
  /** Now: an expired ban is none. */
  banned: boolean
  emailVerified: boolean
  provider: string
  createdAt: Date
}

const firstNames = ['ada', 'bob', 'carla', 'dmitri', 'elena', 'farid', 'grace', 'hugo', 'ines', 'jonas', 'kira']
const lastNames = ['lovelace', 'noether', 'hopper', 'turing', 'curie', 'gauss', 'ramanujan']
const start = Date.UTC(2024, 0, 1)

/** What `createMany` makes of a number: three at a time are made in one second. */
export function generated(i: number): GeneratedUser {
  const first = firstNames[(i * 7) % firstNames.length] ?? ''
  const last = lastNames[i % lastNames.length] ?? ''
  return {
    id: `u${String(i).padStart(9, '0')}`,
    email: `${first}.${last}${i}@${i <= 4_000 ? 'oldcorp' : 'example'}.com`,
    name: i % 10_000 === 7 ? 'Zaphod Beeblebrox' : i % 5_000 === 9 ? `Qj ${i}` : `${first} ${last}`,
    role: i % 1_000 === 2 ? 'admin' : i % 100 === 1 ? 'moderator' : 'user',
    banned: i % 400 === 3,
    emailVerified: i % 20 !== 0,
    provider: i % 500 === 5 ? 'github' : i % 3 === 0 ? 'google' : i > 120_000 ? 'apple' : 'credential',
    createdAt: new Date(start + Math.floor(i / 3) * 1_000),
  }
}

/** Whether a generated user matches a filter. */
export function isMatch(user: GeneratedUser, filter: UserFilter): boolean {
  const { q = '', email, role, banned, emailVerified, provider, createdAfter, createdBefore } = filter
  return (
    `${user.email}\n${user.name}`.toLowerCase().includes(q.toLowerCase()) &&
    (email ?? user.email) === user.email &&
    (role ?? user.role) === user.role &&
    (banned ?? user.banned) === user.banned &&
    (emailVerified ?? user.emailVerified) === user.emailVerified &&
    (provider ?? user.provider) === user.provider &&
    user.createdAt > (createdAfter ?? new Date(0)) &&
    user.createdAt < (createdBefore ?? new Date())
  )
}

/** A service with the users 1 to `count`, and those; it ends with the tests of the file. */
export async function startServiceOfMany(count: number): Promise<{ service: TestService; everybody: GeneratedUser[] }> {
  const database = await createTestDatabase()
  await createMany(database.env, count)
  const service = await startService({ database })
  afterAll(async () => {
    await service.stop()
    await database.remove()
  })
  return { service, everybody: Array.from({ length: count }, (_, n) => generated(n + 1)) }
}

/** Makes the users 1 to `count` with an account each, past the triggers, in a database that no service has open. */
export async function createMany(env: Record<string, string>, count: number): Promise<void> {
  const url = directUrl(env)
  const { db, close } = await openDatabase(
    url === ''
      ? { kind: 'embedded', directory: env['DATA_DIR'] ?? '', onError: raise }
      : { kind: 'postgres', url, limits: 'migration', onError: raise },
  )
  const { rows } = await sql<{ definition: string }>`
    select pg_get_indexdef('user_search_idx'::regclass) as definition`.execute(db)
  // One by one, entries of this index take the longest.
  await sql`drop index user_search_idx`.execute(db)
  await db.connection().execute(async (connection) => {
    await sql`set session_replication_role = replica`.execute(connection)
    for (let from = 1; from <= count; from += 5_000) await insert(connection, from, Math.min(from + 4_999, count))
  })
  await sql.raw(rows[0]?.definition ?? '').execute(db)
  await sql`vacuum analyze "user", account`.execute(db)
  await close()
}

function raise(error: Error): void {
  throw error
}

async function insert(db: Db, from: number, to: number): Promise<void> {
  const users = Array.from({ length: to - from + 1 }, (_, n) => {
    const i = from + n
    // Half of those who were banned are so no more.
    return { ...generated(i), banned: i % 200 === 3, expires: i % 400 === 203 ? new Date(start) : null }
  })
  const json = JSON.stringify(users)
  await sql`insert into "user" (id, email, name, role, banned, ban_expires, email_verified, created_at)
    select id, email, name, role, banned, expires, "emailVerified", "createdAt" from json_to_recordset(${json}) as t
    (id text, email text, name text, role text, banned boolean, expires timestamptz, "emailVerified" boolean,
      "createdAt" timestamptz)`.execute(db)
  await sql`insert into account (id, account_id, provider_id, user_id, updated_at)
    select 'a' || id, id, provider, id, now() from json_to_recordset(${json}) as t (id text, provider text)`.execute(db)
}
