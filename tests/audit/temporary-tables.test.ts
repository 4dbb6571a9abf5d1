import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Tx } from '../../src/db/database.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service

test('every function that writes looks for tables in the schema before the temporary ones', async () => {
  const { rows } = await sql<{ name: string; config: string[] | null }>`
    select proname as name, proconfig as config from pg_proc join pg_language as l on l.oid = prolang
    where pronamespace = current_schema()::regnamespace and lanname in ('plpgsql', 'sql') and provolatile = 'v'`.execute(
    db,
  )

  expect(rows.length).toBeGreaterThan(40)
  expect(rows.filter(({ config }) => config?.join() !== 'search_path=public, pg_temp')).toEqual([])
})

/** Runs statements beside temporary tables that are named as those of the service, looks at what came of it, and takes it back. */
async function beside<T>(tables: string[], statements: string[], look: (trx: Tx) => Promise<T>): Promise<T> {
  const takenBack = new Error('taken back')
  let seen: { value: T } | undefined
  const attack = db.transaction().execute(async (trx) => {
    for (const table of tables)
      await sql.raw(`create temp table "${table}" (like public."${table}" including all) on commit drop`).execute(trx)
    for (const statement of statements) await sql.raw(statement).execute(trx)
    await sql`set constraints all immediate`.execute(trx)
    seen = { value: await look(trx) }
    throw takenBack
  })
  await attack.catch((error: unknown) => {
    if (error !== takenBack) throw error
  })
  return (seen as { value: T }).value
}

test.each([
  [[]],
  [['audit_pending']],
  [['audit_event', 'audit_head']],
  [['audit_pending', 'audit_event', 'audit_head']],
])('a change beside the temporary tables %j has its event', async (tables) => {
  const { id } = await service.createUser()
  const actions = await beside(
    tables,
    [`update public."user" set role = 'moderator' where id = '${id}'`],
    async (trx) => {
      const { rows } = await sql<{ action: string }>`
          select action from public.audit_event where target_id = ${id} order by seq desc limit 1`.execute(trx)
      return rows
    },
  )
  expect(actions).toEqual([{ action: 'user.role_changed' }])
})

test.each([[[]], [['session']]])('a ban beside the temporary tables %j ends every session', async (tables) => {
  const { id } = await service.createSignedIn()
  const sessions = await beside(tables, [`update public."user" set banned = true where id = '${id}'`], async (trx) => {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from public.session where user_id = ${id}`.execute(trx)
    return rows
  })
  expect(sessions).toEqual([{ n: 0 }])
})

test.each([[[]], [['user']]])('beside the temporary tables %j an admin is left', async (tables) => {
  await service.createUser({ role: 'admin' })
  const attack = beside(
    tables,
    [
      ...tables.map(() => `insert into pg_temp."user" select * from public."user" where role = 'admin'`),
      `update public."user" set role = 'user' where role = 'admin'`,
    ],
    () => Promise.resolve(),
  )
  await expect(attack).rejects.toThrow('there must always be an active admin')
})
