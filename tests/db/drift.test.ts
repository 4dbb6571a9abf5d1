import { PGlite } from '@electric-sql/pglite'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import { getMigrations } from 'better-auth/db/migration'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { expect, test } from 'vitest'
import { extensions } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import type { DB } from '../../src/db/schema.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { options } = service.services.auth

/** What migrations/ has and Better-Auth would not make: a fact, and why. */
const added: Record<string, string> = {
  'column role.name text not null': 'known roles are rows',
  'primary key role(name)': 'known roles are rows',
  'foreign key user.role to role.name on delete no action': 'nobody has an unknown role',
  'index user(role, created_at, id)': 'keyset of the users of a role; the last admin is looked for',
  'index user(created_at, id) where banned': 'keyset of the banned users',
  'index user(created_at, id) where (NOT email_verified)': 'keyset of the users who are not verified',
  'index user(email, name)': 'search by trigrams',
  'column user.role text not null': 'everybody has a role',
  "default user.role 'user'::text": 'everybody has a role',
  'column user.banned boolean not null': 'who is not banned is not null either',
  'default user.banned false': 'who is not banned is not null either',
  'default user.email_verified false': 'rows made by /api/v1 and psql',
  'check user (email = lower(email))': 'one user an address',
  'column user.valid_after timestamp with time zone null': 'ends tokens that have no session',
  'index user(created_at desc, id desc)': 'keyset of the list of users',
  'index user(name, id)': 'keyset of the list of users',
  'column session.not_after timestamp with time zone not null': 'set by a trigger, so nobody has to know it',
  'foreign key session.impersonated_by to user.id on delete cascade': 'an admin who is gone impersonates nobody',
  'index session(user_id, created_at desc, id desc)': 'keyset of the list of sessions',
  'index session(impersonated_by) where (impersonated_by IS NOT NULL)': 'sessions end with who impersonates',
  'index session(expires_at)': 'sweeping',
  'index account(user_id, provider_id)': 'users are filtered by provider',
  'index account(provider_id)': 'the users of a provider are found',
  'unique account(provider_id, account_id)': 'an identity linked twice could never sign in again',
  'index verification(expires_at)': 'sweeping, at each look-up',
  'index verification(value)': 'links end with the password or address that they were for',
  'column jwks.active_at timestamp with time zone not null': 'a key is published before it signs',
  'default jwks.active_at CURRENT_TIMESTAMP': 'a key made by Better-Auth signs at once',
  'index rate_limit(last_request)': 'sweeping',
  'column oauth_client.is_configured boolean not null': 'auth.config.ts alone changes such a client',
  'default oauth_client.is_configured false': 'auth.config.ts alone changes such a client',
  'column oauth_client.valid_after timestamp with time zone null': 'ends the tokens of a client that was disabled',
  'column oauth_client.created_at timestamp with time zone not null': 'keyset of the list of clients',
  'default oauth_client.created_at CURRENT_TIMESTAMP': 'rows made by /api/v1 and psql',
  'column oauth_client.updated_at timestamp with time zone not null': 'shown by /api/v1',
  'default oauth_client.updated_at CURRENT_TIMESTAMP': 'rows made by /api/v1 and psql',
  'column oauth_client.disabled boolean not null': 'a client that is not disabled is not null either',
  'default oauth_client.disabled false': 'a client that is not disabled is not null either',
  'column oauth_client.skip_consent boolean not null': 'consent is asked unless it is said',
  'default oauth_client.skip_consent false': 'consent is asked unless it is said',
  'column oauth_client.enable_end_session boolean not null': 'nobody is signed out unless it is said',
  'default oauth_client.enable_end_session false': 'nobody is signed out unless it is said',
  'column oauth_client.require_pkce boolean not null': 'PKCE is asked for unless it is said',
  'default oauth_client.require_pkce true': 'PKCE is asked for unless it is said',
  'foreign key oauth_client.user_id to user.id on delete set null': 'a client outlives who made it',
  'index oauth_client(created_at desc, id desc)': 'keyset of the list of clients',
  'column oauth_refresh_token.family_started_at timestamp with time zone not null': 'the absolute end of a grant',
  'default oauth_refresh_token.family_started_at CURRENT_TIMESTAMP': 'set by a trigger, so nobody has to know it',
  'index oauth_refresh_token(user_id, client_id)': 'tokens end with the grant',
  'index oauth_refresh_token(expires_at)': 'sweeping',
  'index oauth_access_token(user_id, client_id)': 'tokens end with the grant',
  'index oauth_access_token(expires_at)': 'sweeping',
  'index oauth_consent(user_id, client_id)': 'consent ends with the grant',
  'index oauth_client_assertion(expires_at)': 'sweeping',
}

/** What Better-Auth would make and migrations/ has otherwise. */
const replaced: Record<string, string> = {
  'column user.role text null': 'not null here',
  'column user.banned boolean null': 'not null here',
  'column session.not_after timestamp with time zone null': 'not null here',
  'column oauth_client.created_at timestamp with time zone null': 'not null here',
  'column oauth_client.updated_at timestamp with time zone null': 'not null here',
  'column oauth_client.disabled boolean null': 'not null here',
  'column oauth_client.skip_consent boolean null': 'not null here',
  'column oauth_client.enable_end_session boolean null': 'not null here',
  'column oauth_client.require_pkce boolean null': 'not null here',
  'foreign key oauth_client.user_id to user.id on delete cascade': 'set null here',
  'index oauth_client_resource(client_id)': 'the unique index on it and the resource serves',
}

interface Schema {
  db: Kysely<DB>
  close: () => Promise<void>
}

async function emptySchema(): Promise<Schema> {
  const pglite = await PGlite.create({ extensions })
  const pool = new pg.Pool({ ...createPgConfig(pglite), max: 1, idleTimeoutMillis: 0 })
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    async close() {
      await db.destroy()
      await pglite.close()
    },
  }
}

async function tablesOf({ db }: Schema): Promise<string[]> {
  const { rows } = await sql<{ relname: string }>`
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`.execute(db)
  return rows.map(({ relname }) => relname)
}

/** Everything that the catalogue says about these tables, without the names of indexes and constraints. */
async function factsOf({ db }: Schema, tables: string[]): Promise<Set<string>> {
  const { rows } = await sql<{ fact: string }>`
    with t as (
      select oid, relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any(${tables})
    ), c as (
      select t.oid, t.name as table, a.attname as name, a.attnum, a.attnotnull,
        information_schema._pg_truetypid(a, ty) as type
      from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      join pg_type ty on ty.oid = a.atttypid
    ), i as (
      select t.name as table, indisprimary, indisunique, pg_get_expr(indpred, indrelid) as predicate,
        (select string_agg(pg_get_indexdef(indexrelid, k, true) || case when indoption[k - 1] & 1 = 1 then ' desc' else '' end,
          ', ' order by k) from generate_series(1, indnkeyatts::int) k) as keys
      from t join pg_index on indrelid = t.oid
    )
    select format('column %s.%s %s %s', c.table, name, type::regtype, case when attnotnull then 'not null' else 'null' end) as fact
      from c
    union all
    select format('default %s.%s %s', c.table, name, pg_get_expr(adbin, adrelid))
      from c join pg_attrdef on adrelid = c.oid and adnum = attnum
    union all
    select format('%s %s(%s)%s', case when indisprimary then 'primary key' when indisunique then 'unique' else 'index' end,
      i.table, keys, ' where ' || predicate) from i
    union all
    select format('foreign key %s.%s to %s.%s on delete %s', o.table, o.name, r.table, r.name,
      case confdeltype when 'a' then 'no action' when 'c' then 'cascade' when 'n' then 'set null' else confdeltype::text end)
      from pg_constraint join c o on o.oid = conrelid and o.attnum = conkey[1]
      join c r on r.oid = confrelid and r.attnum = confkey[1] where contype = 'f'
    union all
    select format('check %s %s', t.name, pg_get_expr(conbin, conrelid))
      from pg_constraint join t on t.oid = conrelid where contype = 'c'`.execute(db)
  return new Set(rows.map(({ fact }) => fact))
}

/** Whether an index on the same columns, and more after them, serves as well. */
function coveredByWider(fact: string, facts: Set<string>): boolean {
  return fact.startsWith('index ') && [...facts].some((other) => other.startsWith(`${fact.slice(0, -1)}, `))
}

test('migrations/ makes what Better-Auth needs, with the listed differences and no other', async () => {
  const [reference, ours] = [await emptySchema(), await emptySchema()]
  await (await getMigrations({ ...options, database: { db: reference.db, type: 'postgres' } })).runMigrations()
  await migrate(ours.db, ['user', 'admin'])
  // Better-Auth's tables and what they refer to; a table that only a slice uses is no business of this test.
  const tables = [...(await tablesOf(reference)), 'role']
  const [wanted, made] = [await factsOf(reference, tables), await factsOf(ours, tables)]
  await Promise.all([reference.close(), ours.close()])

  const more = [...made].filter((fact) => !wanted.has(fact))
  const less = [...wanted].filter((fact) => !made.has(fact) && !coveredByWider(fact, made))

  expect(more.sort()).toEqual(Object.keys(added).sort())
  expect(less.sort()).toEqual(Object.keys(replaced).sort())
})

test('Better-Auth finds nothing to create or add in the migrated database', async () => {
  const plan = await getMigrations(options)

  expect(plan).toMatchObject({
    toBeCreated: [],
    toBeAdded: [],
    toBeAddedIndexes: [],
    unsafeChanges: [],
    schemaProblems: [],
  })
})
