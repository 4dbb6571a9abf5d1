import { randomUUID } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { auditedAs } from '../../src/db/audit-context.ts'
import type { Db } from '../../src/db/database.ts'
import { watchPool } from '../../src/db/watched-pool.ts'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl } from '../support/harness.ts'
import { kyselyOver } from '../support/listening.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  let db: Db
  let remove: () => Promise<void>
  let way: TcpProxy
  /** Whether the statement fails that tells the database who makes a change. */
  let failing = false
  let counts = { changes: 0, distrusts: 0 }

  beforeAll(async () => {
    const database = await createTestDatabase()
    remove = database.remove
    const url = directUrl(database.env)
    way = await startProxy(url)
    const pool = new pg.Pool({ connectionString: way.url(url) })
    pool.on('error', () => {})
    pool.on('connect', (client) => {
      client.on('error', () => {})
      const query = client.query.bind(client) as (...args: unknown[]) => unknown
      const mayFail = (text: unknown, ...rest: unknown[]) =>
        query(failing && String(text).includes('latchkey.audit') ? `${String(text)}; select 1/0` : text, ...rest)
      client.query = mayFail as typeof client.query
    })
    const notifications = {
      isCurrent: () => true,
      age: () => 0,
      close: async () => {},
      catchUp: async () => void (counts.changes += 1),
      distrust: () => void (counts.distrusts += 1),
    }
    db = kyselyOver(watchPool(pool, { dropsBroken: true, notifications: () => notifications }))
    await insertUser('ada').execute(db)
  })
  afterAll(async () => {
    await db.destroy()
    await way.close()
    await remove()
  })
  beforeEach(() => {
    counts = { changes: 0, distrusts: 0 }
  })

  const insertUser = (id: string = randomUUID()) =>
    sql`insert into "user" (id, name, email) values (${id}, 'Ada', ${`${id}@example.com`})`
  const rename = sql`update "user" set name = 'Bob' where id = 'ada'`
  const refused = sql`update "user" set role = 'nobody' where id = 'ada'`

  test.each<[string, RawBuilder<unknown>]>([
    ['an update', rename],
    ['a delete', sql`delete from session`],
    ['a truncation', sql`  TRUNCATE session cascade`],
    ['what is new, where something may hang on it', sql`insert into oauth_revoked_token values ('j', now())`],
    [
      'what may be new',
      sql`insert into "user" (id, name, email) values ('ada', 'Ada', 'ada@example.com')
        on conflict (id) do update set name = 'Ada'`,
    ],
    ['a change within a query', sql`with w as (update "user" set name = 'Eve' returning id) select id from w`],
    ['a change whose plan is asked for', sql`explain analyze update "user" set name = 'Eve'`],
    ['a change behind a comment', sql`/* select */ update "user" set name = 'Eve'`],
  ])('%s is waited for until it was heard of', async (_what, statement) => {
    await statement.execute(db)
    expect(counts).toEqual({ changes: 1, distrusts: 0 })
  })

  test('the changes of a transaction are waited for once, when it has been committed', async () => {
    await db.transaction().execute(async (trx) => {
      await rename.execute(trx)
      await sql`savepoint s`.execute(trx)
      await rename.execute(trx)
      await sql`rollback to savepoint s`.execute(trx)
      expect(counts.changes).toBe(0)
    })
    expect(counts.changes).toBe(1)
  })

  test.each<[string, () => Promise<unknown>]>([
    ['a transaction', () => db.transaction().execute((trx) => rename.execute(trx))],
    ['one of a statement alone', () => rename.execute(db)],
  ])('%s that cannot be told who makes it leaves its connection as it was', async (_what, work) => {
    const audited = () => auditedAs({ requestId: 'r' }, work)
    failing = true
    await expect(audited()).rejects.toThrow('division by zero')
    failing = false
    for (let n = 0; n < 5; n++) expect((await sql<{ n: number }>`select 1 as n`.execute(db)).rows).toEqual([{ n: 1 }])
    await audited()
  })

  const inTransaction = (...statements: RawBuilder<unknown>[]) =>
    db.transaction().execute(async (trx) => {
      for (const statement of statements) await statement.execute(trx)
    })

  test.each<[string, () => Promise<unknown>]>([
    ['a read', () => sql`SELECT id from session for update`.execute(db)],
    ['a plan', () => sql`explain (format json) select id from "user"`.execute(db)],
    ['a new user', () => insertUser().execute(db)],
    ['what is not told of', () => sql`update verification set value = 'x'`.execute(db)],
    ['a change that fails', () => refused.execute(db)],
    ['a transaction that changes nothing that is told of', () => inTransaction(insertUser())],
    ['a transaction that the database rolls back', () => inTransaction(rename, refused)],
  ])('%s is not waited for', async (_what, work) => {
    await work().catch(() => {})
    expect(counts).toEqual({ changes: 0, distrusts: 0 })
  })

  test('what comes after a transaction on the same connection counts for itself', async () => {
    await db.connection().execute(async (one) => {
      await one.transaction().execute((trx) => rename.execute(trx))
      await rename.execute(one)
      await one
        .transaction()
        .execute(async (trx) => {
          await rename.execute(trx)
          throw new Error('no')
        })
        .catch(() => {})
      await one.transaction().execute((trx) => insertUser().execute(trx))
      await rename.execute(one)
    })
    expect(counts.changes).toBe(3)
  })

  test('a change whose connection is lost may be there: nothing counts as heard', async () => {
    const change = sql`update "user" set name = 'Eve' where pg_sleep(60) is null`.execute(db)
    const isUnderWay = sql<{ n: number }>`select count(*) as n from pg_stat_activity where wait_event = 'PgSleep'`
    await expect.poll(async () => Number((await isUnderWay.execute(db)).rows[0]?.n)).toBe(1)
    way.cut()
    await expect(change).rejects.toThrow('terminated')
    expect(counts).toEqual({ changes: 0, distrusts: 1 })
  })
})
