import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { runAdminCommand } from '../../src/admin/commands.ts'
import { type AuditRow, actionsOf, eventsOf } from '../support/audit.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service
let arranged: Promise<void> | undefined
/** A row of each kind. */
const arrange = () => (arranged ??= insertAll())

async function insertAll(): Promise<void> {
  const user = await service.createSignedIn()
  await sql`insert into account (id, account_id, provider_id, user_id, updated_at)
    values ('a', ${user.id}, 'credential', ${user.id}, now())`.execute(db)
  await sql`insert into oauth_client (id, client_id, redirect_uris) values ('c', 'client', '[]')`.execute(db)
  await sql`insert into oauth_grant (user_id, client_id, scopes) values (${user.id}, 'client', '[]')`.execute(db)
  await sql`insert into oauth_consent (id, user_id, client_id, scopes, created_at, updated_at)
    values ('o', ${user.id}, 'client', '[]', now(), now())`.execute(db)
}

describe('a change past the service has its event', () => {
  test('by SQL, in the name of the database’s role', async () => {
    const {
      rows: [role],
    } = await sql<{ name: string }>`select session_user::text as name`.execute(db)
    const user = await service.createSignedIn()
    const rows = await eventsOf(db, async () => {
      await sql`update "user" set role = 'moderator' where id = ${user.id}`.execute(db)
      await sql`delete from session where user_id = ${user.id}`.execute(db)
    })
    expect(actionsOf(rows)).toEqual(['user.role_changed', 'session.ended'])
    for (const row of rows)
      expect(row).toMatchObject({ actor_type: 'system', actor_id: role?.name, request_id: null, ip_address: null })
  })

  test('by SQL for many at once: one that says how many', async () => {
    const rows = await eventsOf(db, () =>
      sql`insert into "user" (id, name, email)
        select 'many-' || n, 'Many', 'many-' || n || '@example.com' from generate_series(1, 1001) as n`.execute(db),
    )
    expect(rows.map(({ action, target_id, changes }) => [action, target_id, changes])).toEqual([
      ['user.created', null, { count: { from: null, to: 1_001 } }],
    ])
    const deleted = await eventsOf(db, () =>
      sql`delete from "user" where id like 'many-%' and length(id) < 9`.execute(db),
    )
    expect(deleted).toHaveLength(999)
  })

  test('by SQL for many at once, of several kinds: each of them, and of more than a thousand one of each kind', async () => {
    const many = (count: number) =>
      sql`insert into "user" (id, name, email) select 'kinds-' || n, 'Many', 'kinds-' || n || '@example.com'
        from generate_series(1, ${count}::int) as n`.execute(db)
    const change = () =>
      eventsOf(db, () => sql`update "user" set name = 'New', role = 'moderator' where id like 'kinds-%'`.execute(db))
    const remove = () => sql`delete from "user" where id like 'kinds-%'`.execute(db)
    const kindsOf = (rows: AuditRow[]) => rows.map(({ action, target_id, changes }) => [action, target_id, changes])
    await many(501)

    const few = await change()
    expect(few).toHaveLength(1_002)
    expect(new Set(few.map(({ target_id }) => target_id)).size).toBe(501)
    await remove()
    await many(1_001)
    expect(kindsOf(await change())).toEqual([
      ['user.role_changed', null, { count: { from: null, to: 1_001 } }],
      ['user.updated', null, { count: { from: null, to: 1_001 } }],
    ])
    await remove()
  })

  test.each([
    `update "user" set id = 'other', role = 'admin'`,
    `update session set id = 'other'`,
    `update account set id = 'other', password = 'mine'`,
    `update oauth_client set id = 'other', client_secret = 'mine'`,
    `update oauth_client set client_id = 'other'`,
    `update oauth_grant set client_id = 'other'`,
    `update oauth_consent set user_id = 'other'`,
    `update jwks set id = 'other', private_key = 'mine'`,
  ])('and not with another key of its row, by which it would not be known: %s', async (statement) => {
    await arrange()
    const attack = sql.raw(statement).execute(db)
    await expect(attack).rejects.toThrow('the key of a row stays as it is')
  })

  test.each([
    ['user', 'user.deleted', 'user'],
    ['session', 'session.ended', 'user'],
    ['account', 'account.unlinked', 'user'],
    ['oauth_client', 'client.deleted', 'client'],
    ['oauth_grant', 'grant.ended', 'user'],
    ['oauth_consent', 'consent.withdrawn', 'user'],
    ['jwks', 'key.removed', 'key'],
  ])('by TRUNCATE of %s: one that says how many', async (table, action, targetType) => {
    await arrange()
    const takenBack = new Error('taken back')
    const truncating = db.transaction().execute(async (trx) => {
      const { rows: counted } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(trx)
      await sql`truncate ${sql.table(table)} cascade`.execute(trx)
      await sql`set constraints all immediate`.execute(trx)
      const { rows } = await sql<AuditRow>`
        select * from audit_event where action = ${action} and reason = 'truncated'`.execute(trx)
      const [count] = counted
      expect(count?.n).toBeGreaterThan(0)
      expect(rows).toMatchObject([
        {
          actor_type: 'system',
          target_type: targetType,
          target_id: null,
          changes: { count: { from: null, to: count?.n } },
        },
      ])
      throw takenBack
    })
    await expect(truncating).rejects.toBe(takenBack)
  })

  test('by the API, of a client with more grants than that: one that names the client', async () => {
    const admin = await service.createSignedIn('admin')
    const grants = async (id: string, count: number) => {
      await sql`insert into oauth_client (id, client_id, redirect_uris) values (${id}, ${id}, '[]')`.execute(db)
      await sql`insert into "user" (id, name, email) select ${id} || n, 'Many', ${id} || n || '@example.com'
        from generate_series(1, ${count}::int) as n`.execute(db)
      await sql`insert into oauth_grant (user_id, client_id, scopes) select ${id} || n, ${id}, '[]'
        from generate_series(1, ${count}::int) as n`.execute(db)
    }
    const removal = (id: string) =>
      eventsOf(db, async () => {
        const response = await service.request(`/api/v1/clients/${id}`, { method: 'DELETE', token: admin.token })
        expect(response.status).toBe(204)
      })
    await grants('few', 2)
    await grants('many', 1_001)

    const told = (rows: AuditRow[]) =>
      rows.map(({ action, target_type, target_id }) => [action, target_type, target_id])
    expect(told(await removal('few')).toSorted()).toEqual([
      ['client.deleted', 'client', 'few'],
      ['grant.ended', 'user', 'few1'],
      ['grant.ended', 'user', 'few2'],
    ])
    const rows = await removal('many')
    expect(told(rows).toSorted()).toEqual([
      ['client.deleted', 'client', 'many'],
      ['grant.ended', 'client', 'many'],
    ])
    const ended = rows.find(({ action }) => action === 'grant.ended')
    expect(ended).toMatchObject({ actor_id: admin.id, changes: { count: { from: null, to: 1_001 } } })
  })

  test('in no name of somebody for whom the service has used the same connection before', async () => {
    const admin = await service.createSignedIn('admin')
    const user = await service.createUser()
    const path = `/api/v1/users/${user.id}/role`
    for (const role of ['moderator', 'user']) {
      const made = await eventsOf(db, () =>
        service.request(path, { method: 'PUT', token: admin.token, json: { role } }),
      )
      expect(made).toMatchObject([{ actor_type: 'user', actor_id: admin.id }])
      const rows = await eventsOf(db, () => sql`update "user" set name = ${role} where id = ${user.id}`.execute(db))
      expect(rows).toMatchObject([{ actor_type: 'system', request_id: null, ip_address: null, user_agent: null }])
    }
  })

  test('by the command line, in its name', async () => {
    const user = await service.createUser()
    const rows = await eventsOf(db, () =>
      runAdminCommand(service.services, { command: 'grant', email: user.email, role: 'moderator' }),
    )
    expect(rows).toMatchObject([
      { action: 'user.role_changed', actor_type: 'system', actor_id: 'cli', target_id: user.id },
    ])
  })

  test('by the command line, that makes an admin', async () => {
    const email = `${randomUUID()}@example.com`
    const rows = await eventsOf(db, () =>
      runAdminCommand(service.services, { command: 'create', email, password: 'correct horse battery' }),
    )
    const cli = { actor_type: 'system', actor_id: 'cli', target_id: rows[0]?.target_id }
    expect(rows).toMatchObject([
      { ...cli, action: 'user.created', changes: { email: { to: email }, role: { to: 'admin' } } },
      { ...cli, action: 'password.set', changes: {} },
    ])
  })

  test('by the command line, that resets a password', async () => {
    const user = await service.createSignedIn()
    const reset = (to: string) =>
      eventsOf(db, () =>
        runAdminCommand(service.services, { command: 'reset-password', email: user.email, password: to }),
      )
    const cli = { actor_type: 'system', actor_id: 'cli', target_type: 'user', target_id: user.id }
    expect(await reset('correct horse battery')).toMatchObject([
      { ...cli, action: 'session.ended', reason: 'password' },
      { ...cli, action: 'password.set' },
    ])
    expect(await reset('quite another secret')).toMatchObject([{ ...cli, action: 'password.changed' }])
  })

  test('by the start: its key', async () => {
    const { rows } = await sql<AuditRow>`select * from audit_event where action = 'key.created'`.execute(db)
    expect(rows).toMatchObject([{ actor_type: 'system', actor_id: 'boot', target_type: 'key' }])
  })

  test('but not what upkeep removes because it is over', async () => {
    const user = await service.createSignedIn()
    await sql`update session set expires_at = now() + interval '1 second' where user_id = ${user.id}`.execute(db)
    const ended = await eventsOf(db, () =>
      sql`update session set expires_at = now() - interval '1 hour' where user_id = ${user.id}`.execute(db),
    )
    expect(actionsOf(ended)).toEqual(['session.ended'])
    const rows = await eventsOf(db, () => service.services.upkeep.run())
    expect(rows).toEqual([])
    const { rows: left } = await sql`select id from session where user_id = ${user.id}`.execute(db)
    expect(left).toEqual([])
  })
})
