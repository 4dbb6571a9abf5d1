import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { writesAudit } from '../../src/db/audit-context.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service

interface Column {
  name: string
  type: string
}

/** Two values of each type that the tables have. */
const values: Record<string, [unknown, unknown]> = {
  boolean: [false, true],
  jsonb: [['one'], ['other']],
  text: ['one', 'other'],
  'timestamp with time zone': ['2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z'],
}

/** The columns of a table, but for those of which the audit log does not tell, each of which must be there. */
async function columnsOf(table: string, untold: string[]): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select column_name as name, data_type as type from information_schema.columns
    where table_schema = 'public' and table_name = ${table} order by ordinal_position`.execute(db)
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(untold))
  return rows.filter(({ name }) => !untold.includes(name))
}

function valuesOf({ name, type }: Column): [unknown, unknown] {
  const both = values[type]
  if (!both) throw new Error(`The type of ${name}, ${type}, has no values here`)
  return name === 'role' ? ['user', 'moderator'] : both
}

// The key, by which an event names it; the secret, which has an event of its own; and what tells of no change.
const untoldOfClient = ['id', 'client_id', 'client_secret', 'user_id', 'created_at', 'updated_at']
const clientColumns = await columnsOf('oauth_client', untoldOfClient)

test.each(clientColumns)('the column $name of a client is in its events', async (column) => {
  const [one, other] = valuesOf(column).map((value) => JSON.stringify({ [column.name]: value }))
  const { rows } = await sql<{ tells: boolean; same: boolean }>`
    select audit_client(jsonb_populate_record(null::oauth_client, ${one}))
        <> audit_client(jsonb_populate_record(null::oauth_client, ${other})) as tells,
      audit_client(jsonb_populate_record(null::oauth_client, ${one}))
        = audit_client(jsonb_populate_record(null::oauth_client, ${one})) as same`.execute(db)
  expect(rows).toEqual([{ tells: true, same: true }])
})

const userColumns = await columnsOf('user', ['id', 'created_at', 'updated_at'])

test.each(userColumns)('a change of the column $name of a user has an event', async (column) => {
  const user = { id: randomUUID(), name: 'Ada', email: `${randomUUID()}@example.com` }
  await db.insertInto('user').values(user).execute()
  const changed: unknown[] = []
  for (const value of valuesOf(column)) {
    const takenBack = new Error('taken back')
    const changing = db.transaction().execute(async (trx) => {
      await sql`update "user" set ${sql.ref(column.name)} = ${value} where id = ${user.id}`.execute(trx)
      const { rows } = await sql`select from audit_pending where target_id = ${user.id}`.execute(trx)
      changed.push(...rows)
      throw takenBack
    })
    await expect(changing).rejects.toBe(takenBack)
  }
  // Of one of two values that a row cannot both have before.
  expect(changed.length).toBeGreaterThan(0)
})

describe('the statements for which the database is told who makes them', () => {
  test('are those on the tables of which triggers tell, and on no others', async () => {
    const { rows } = await sql<{ name: string; audited: boolean }>`
      select relname as name, exists (
        select from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid
        where t.tgrelid = c.oid and p.prosrc ~ '\\maudit_(rows|sessions_ended)\\M') as audited
      from pg_class as c
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by relname`.execute(db)
    expect(rows.filter(({ audited }) => audited).length).toBeGreaterThan(0)
    for (const verb of ['insert into', 'update', 'delete from', 'DELETE  FROM'])
      for (const quote of ['', '"'])
        expect(rows.map(({ name }) => [name, writesAudit(`${verb} ${quote}${name}${quote} x`)])).toEqual(
          rows.map(({ name, audited }) => [name, audited]),
        )
  })

  test('and what the service notes itself', () => {
    expect(writesAudit(`select audit_one('sign_in.failed', null, null, '{}', null)`)).toBe(true)
    expect(writesAudit('select * from session')).toBe(false)
  })
})
