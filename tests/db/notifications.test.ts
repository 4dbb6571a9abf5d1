import { randomUUID } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { extensions } from '../../src/db/embedded.ts'
import { readMigrations } from '../../src/db/migrate.ts'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl } from '../support/harness.ts'

interface Database {
  query: (text: string, values?: unknown[]) => Promise<unknown>
  close: () => Promise<void>
}

let database: Database
let heard: string[] = []

beforeAll(async () => {
  database = onPostgres ? await listenOnPostgres() : await listenOnEmbedded()
  // Each test begins without anybody, an admin neither.
  await database.query(`alter table "user" disable trigger user_keep_from_truncate`)
})
afterAll(() => database.close())
beforeEach(() => database.query(`truncate "user", session, account, verification, jwks cascade`))

async function listenOnPostgres(): Promise<Database> {
  const { env, remove } = await createTestDatabase()
  const [listener, writer] = [new pg.Client(directUrl(env)), new pg.Client(directUrl(env))]
  await Promise.all([listener.connect(), writer.connect()])
  listener.on('notification', ({ payload }) => heard.push(payload ?? ''))
  await listener.query('listen authority')
  return {
    query: (text, values) => writer.query(text, values),
    async close() {
      await Promise.all([listener.end(), writer.end()])
      await remove()
    },
  }
}

async function listenOnEmbedded(): Promise<Database> {
  const pglite = await PGlite.create({ extensions })
  for (const { text } of readMigrations()) await pglite.exec(text)
  await pglite.listen('authority', (payload) => heard.push(payload))
  return { query: (text, values) => pglite.query(text, values), close: () => pglite.close() }
}

/** What instances are told while `work` runs. Notifications come in order, so nothing follows the end mark. */
async function told(work: () => Promise<unknown>): Promise<string[]> {
  const [start, end] = [randomUUID(), randomUUID()]
  await database.query(`select pg_notify('authority', $1)`, [start])
  await work()
  await database.query(`select pg_notify('authority', $1)`, [end])
  await expect.poll(() => heard, { timeout: 5_000, interval: 10 }).toContain(end)
  const all = heard
  heard = []
  return all.slice(all.indexOf(start) + 1, all.indexOf(end))
}

async function createUser(id: string = randomUUID(), role = 'user'): Promise<string> {
  await database.query(`insert into "user" (id, name, email, role) values ($1, 'Ada', $1 || '@example.com', $2)`, [
    id,
    role,
  ])
  return id
}

/** A session that ends in so many minutes; one that ended has lived before. */
async function createSession(userId: string, minutes = 60, impersonatedBy: string | null = null): Promise<string> {
  const id = randomUUID()
  await database.query(
    `insert into session (id, token, user_id, impersonated_by, created_at, updated_at, expires_at)
      values ($1, $1, $2, $3, now() + least($4, 0) * interval '1 hour', now(), now() + $4 * interval '1 minute')`,
    [id, userId, impersonatedBy, minutes],
  )
  return id
}

test.each([
  ['role', `'admin'`],
  ['banned', 'true'],
  ['ban_expires', `now() + interval '1 hour'`],
  ['ban_reason', `'Spam'`],
  ['valid_after', 'now()'],
  ['name', `'Bob'`],
  ['email', `'bob@example.com'`],
  ['email_verified', 'true'],
  ['image', `'https://example.com/a.png'`],
  ['updated_at', `now() + interval '1 hour'`],
])('a change of a user’s %s is told', async (column, value) => {
  const id = await createUser()
  expect(await told(() => database.query(`update "user" set ${column} = ${value} where id = $1`, [id]))).toEqual([
    `user:${id}`,
  ])
})

test('an update that changes nothing is not told', async () => {
  const id = await createUser()
  expect(await told(() => database.query(`update "user" set role = 'user' where id = $1`, [id]))).toEqual([])
})

test('a new user is not told, for nobody can have heard of them', async () => {
  expect(await told(() => createUser())).toEqual([])
})

test('the deletion of a user is told', async () => {
  const id = await createUser()
  await createSession(id)
  const notices = await told(() => database.query(`delete from "user" where id = $1`, [id]))
  expect([...new Set(notices)]).toEqual([`user:${id}`])
})

test('a ban and the end of the sessions with it are told once', async () => {
  const id = await createUser()
  await createSession(id)
  expect(await told(() => database.query(`update "user" set banned = true where id = $1`, [id]))).toEqual([
    `user:${id}`,
  ])
})

test('a demotion tells of those whose impersonation it ends', async () => {
  const [admin, other, ada] = [await createUser('a', 'admin'), await createUser('o', 'admin'), await createUser()]
  await createSession(ada, 30, admin)
  const notices = await told(() => database.query(`update "user" set role = 'user' where id = $1`, [admin]))
  expect(notices.sort()).toEqual([`user:${admin}`, `user:${ada}`].sort())
  expect(notices).not.toContain(`user:${other}`)
})

test('a new session is not told, for nobody can have heard of it', async () => {
  const id = await createUser()
  expect(await told(() => createSession(id))).toEqual([])
})

test('a session whose token is another is told, and none gets another id', async () => {
  const id = await createUser()
  const session = await createSession(id)
  const change = (column: string) => database.query(`update session set ${column} = 'another' where id = $1`, [session])
  expect(await told(() => change('token'))).toEqual([`user:${id}`])
  await expect(change('id')).rejects.toThrow('the key of a row stays as it is')
})

test('a session that is used is not told', async () => {
  const session = await createSession(await createUser())
  expect(await told(() => database.query('update session set updated_at = now() where id = $1', [session]))).toEqual([])
})

test('the end of several sessions of a user in one statement is told once', async () => {
  const id = await createUser()
  await createSession(id)
  await createSession(id)
  expect(await told(() => database.query('delete from session where user_id = $1', [id]))).toEqual([`user:${id}`])
})

test('a session that ends sooner or later is told', async () => {
  const id = await createUser()
  const session = await createSession(id)
  const move = (to: string) =>
    told(() => database.query(`update session set expires_at = ${to} where id = $1`, [session]))
  expect(await move(`expires_at - interval '1 minute'`)).toEqual([`user:${id}`])
  expect(await move(`expires_at + interval '1 minute'`)).toEqual([`user:${id}`])
})

test('the sweeping of sessions that expired some time ago is not told', async () => {
  const [ada, bob] = [await createUser(), await createUser()]
  await createSession(ada, -6)
  await createSession(bob, -6)
  expect(await told(() => database.query('delete from session where expires_at < now()'))).toEqual([])
})

test('the end of a session that expired a moment ago is told, for the clock of an instance may be behind', async () => {
  const id = await createUser()
  await createSession(id, -1)
  expect(await told(() => database.query('delete from session'))).toEqual([`user:${id}`])
})

test('a new password is told', async () => {
  const id = await createUser()
  await database.query(
    `insert into account (id, account_id, provider_id, user_id, password, updated_at) values ($1, $1, 'credential', $1, 'old', now())`,
    [id],
  )
  expect(await told(() => database.query(`update account set password = 'new' where user_id = $1`, [id]))).toEqual([
    `user:${id}`,
  ])
})

test('R-21 up to a hundred users are told one by one, more than that as everybody', async () => {
  for (let i = 0; i < 101; i++) await createUser(`u${i}`)
  const touch = (n: number) =>
    told(() => database.query(`update "user" set valid_after = clock_timestamp() where substr(id, 2)::int < $1`, [n]))
  expect(new Set(await touch(100))).toEqual(new Set(Array.from({ length: 100 }, (_, i) => `user:u${i}`)))
  expect(await touch(101)).toEqual(['*'])
})

test('R-21 more than a hundred sessions that end at once are told as everybody', async () => {
  for (let i = 0; i < 101; i++) await createSession(await createUser(`u${i}`))
  expect(await told(() => database.query('delete from session'))).toEqual(['*'])
})

test('a signing key that is made, changed or removed is told', async () => {
  const change = (statement: string) => told(() => database.query(statement))
  expect(
    await change(`insert into jwks (id, public_key, private_key, created_at) values ('k', '{}', '', now())`),
  ).toEqual(['jwks'])
  expect(await change(`update jwks set expires_at = now()`)).toEqual(['jwks'])
  expect(await change('delete from jwks')).toEqual(['jwks'])
})

test('what tokens of a client hang on is told, and nothing else of it', async () => {
  const user = await createUser()
  await database.query(`insert into oauth_client (id, client_id, redirect_uris) values ('1', 'app', '[]')`)
  const change = (set: string) => told(() => database.query(`update ${set}`))
  await database.query(`insert into oauth_grant (user_id, client_id, scopes) values ($1, 'app', '[]')`, [user])

  expect(await change(`oauth_grant set scopes = '["openid"]'`)).toEqual([`user:${user}`])
  expect(await change(`oauth_grant set updated_at = now()`)).toEqual([])
  expect(await change('oauth_grant set ended_at = now()')).toEqual([`user:${user}`])
  expect(await change(`oauth_client set name = 'App'`)).toEqual([])
  expect(await change(`oauth_client set scopes = '["openid"]'`)).toEqual(['client:app'])
  expect(await change(`oauth_client set client_credentials_scopes = '["users:read"]'`)).toEqual(['client:app'])
  expect(await change('oauth_client set disabled = true')).toEqual(['client:app'])
  expect((await told(() => database.query('delete from oauth_client'))).sort()).toEqual(['client:app', `user:${user}`])
})

test('an access token that was given back is told', async () => {
  const give = () => database.query(`insert into oauth_revoked_token values ('j', now()) on conflict do nothing`)
  expect(await told(give)).toEqual(['token:j'])
  expect(await told(give)).toEqual([])
})

test.each(['session cascade', 'oauth_client cascade', '"user" cascade', 'oauth_grant'])(
  'truncate %s is told as everybody',
  async (tables) => {
    expect(new Set(await told(() => database.query(`truncate ${tables}`)))).toEqual(new Set(['*']))
  },
)

test('the truncation of the signing keys is told', async () => {
  expect(await told(() => database.query('truncate jwks'))).toEqual(['jwks'])
})

test('what was rolled back is not told', async () => {
  const id = await createUser()
  const notices = await told(async () => {
    await database.query('begin')
    await database.query(`update "user" set banned = true where id = $1`, [id])
    await database.query('rollback')
  })
  expect(notices).toEqual([])
})
