import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { Db } from '../../src/db/database.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createBareClient, type Tokens } from '../support/bare-client.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { db } = service
const { v1, auth, createMember, signInWith } = await createDoors(service)
const admin = await createMember('admin')
await createMember('admin')
const client = createBareClient(service, await registerClient(service))

const written = [
  'user',
  'account',
  'session',
  'verification',
  'oauth_client',
  'oauth_grant',
  'oauth_refresh_token',
  'password_attempt',
]

// What a sequence counts stays counted when the transaction is rolled back.
await sql`create sequence conflicts_left`.execute(db)
await sql`create function conflict() returns trigger language plpgsql as $$ begin
  if nextval('conflicts_left') <= 0 then
    raise exception 'injected' using errcode = tg_argv[0];
  end if;
  return coalesce(new, old);
end $$`.execute(db)
await sql`alter sequence conflicts_left minvalue -100 maxvalue 1000000000 restart 1`.execute(db)

const moments = {
  'at once': [sql`trigger`, sql`before`, sql``],
  'at its commit': [sql`constraint trigger`, sql`after`, sql`deferrable initially deferred`],
} as const

/** Lets the next `times` changes of these tables, or their commits, fail as PostgreSQL resolves a conflict. */
async function inject(code: string, moment: keyof typeof moments, times: number): Promise<void> {
  const [kind, when, deferral] = moments[moment]
  for (const table of written) {
    await sql`drop trigger if exists conflict on ${sql.table(table)}`.execute(db)
    await sql`create ${kind} conflict ${when} insert or update or delete on ${sql.table(table)} ${deferral}
      for each row execute function conflict(${sql.lit(code)})`.execute(db)
  }
  await sql`select setval('conflicts_left', ${-times}, true)`.execute(db)
}

const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'New' })

type Attempt = () => Promise<{ status: number }>
const onMember =
  (attempt: (member: SignedIn) => ReturnType<Attempt>): (() => Promise<Attempt>) =>
  async () => {
    const member = await createMember()
    return () => attempt(member)
  }
const onGrant = (attempt: (tokens: Tokens) => ReturnType<Attempt>) => async (): Promise<Attempt> => {
  const tokens = await client.tokensFor(await createMember())
  return () => attempt(tokens)
}
const once = (attempt: Attempt) => () => Promise.resolve(attempt)
const newPassword = 'another good one'

// What is arranged meets no conflict.
const writes: [name: string, arrange: () => Promise<Attempt>][] = [
  ['POST /users', once(() => v1(admin, 'POST', '/users', newUser()))],
  ['POST /users with a password', once(() => v1(admin, 'POST', '/users', { ...newUser(), password }))],
  ['PATCH /users/me', once(() => v1(admin, 'PATCH', '/users/me', { name: randomUUID() }))],
  ['POST /users/{id}/ban', onMember(({ id }) => v1(admin, 'POST', `/users/${id}/ban`, {}))],
  ['PUT /users/{id}/role', onMember(({ id }) => v1(admin, 'PUT', `/users/${id}/role`, { role: 'admin' }))],
  ['DELETE /users/{id}', onMember(({ id }) => v1(admin, 'DELETE', `/users/${id}`))],
  ['DELETE /users/{id}/sessions', onMember(({ id }) => v1(admin, 'DELETE', `/users/${id}/sessions`))],
  [
    'POST /clients',
    once(() => v1(admin, 'POST', '/clients', { name: 'Weather', redirectUris: ['https://a.example/cb'] })),
  ],
  ['/oauth2/token', onGrant(({ refresh_token }) => client.refresh(refresh_token))],
  ['/oauth2/revoke', onGrant(({ refresh_token }) => client.revoke(refresh_token))],
  ['/admin/ban-user', onMember(({ id }) => auth(admin, '/admin/ban-user', { userId: id }))],
  ['/sign-in/email', onMember(({ email }) => signInWith(email, password))],
  ['/sign-out', onMember((member) => auth(member, '/sign-out'))],
  ['/update-user', onMember((member) => auth(member, '/update-user', { name: 'Eve' }))],
  [
    '/change-password',
    onMember((member) => auth(member, '/change-password', { currentPassword: password, newPassword })),
  ],
  ['/delete-user', onMember((member) => auth(member, '/delete-user', { password }))],
]

// A transaction of Better-Auth's own, in which mail is sent: nobody repeats that.
const signUp: (typeof writes)[0] = [
  '/sign-up/email',
  once(() => auth({ cookie: '' }, '/sign-up/email', { ...newUser(), password })),
]

describe.each([
  ['40P01', 'at once'],
  ['40001', 'at once'],
  ['40001', 'at its commit'],
] as const)('R-47 where the database resolves a conflict by %s %s', (code, moment) => {
  test.each(writes)('%s is tried again, and succeeds', async (_name, arrange) => {
    const attempt = await arrange()
    await inject(code, moment, 2)

    const { status } = await attempt()

    const { rows } = await sql<{ left: number }>`select last_value as left from conflicts_left`.execute(db)
    await sql`select setval('conflicts_left', 1000)`.execute(db)
    expect([status < 300 || status, (rows[0]?.left ?? -9) > 0]).toEqual([true, true])
  })

  test.each([...writes, signUp])('%s that meets one each time is answered 503', async (_name, arrange) => {
    const attempt = await arrange()
    await inject(code, moment, 90)

    const { status } = await attempt()

    await sql`select setval('conflicts_left', 1000)`.execute(db)
    expect(status).toBe(503)
  })
})

test('R-47 a commit that is answered as a rollback, after a failure of which nobody took notice, throws', async () => {
  const { id } = await createMember()
  const work = async (trx: Db) => {
    await trx.updateTable('user').set({ name: 'Changed' }).where('id', '=', id).execute()
    await sql`select 1/0`.execute(trx).catch(() => {})
  }

  await expect(db.transaction().execute(work)).rejects.toThrow('rollback')
  await expect(inTransaction(db, work)).rejects.toThrow('rollback')

  const { name } = await db.selectFrom('user').select('name').where('id', '=', id).executeTakeFirstOrThrow()
  expect(name).not.toBe('Changed')
})

test('R-48 of fifty who make a user of one address at once one succeeds, and the others are told', async () => {
  const user = newUser()
  const answers = await Promise.all(Array.from({ length: 50 }, () => v1(admin, 'POST', '/users', user)))

  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    201,
    ...Array.from({ length: 49 }, () => 409),
  ])
  expect(await db.selectFrom('user').select('id').where('email', '=', user.email).execute()).toHaveLength(1)
})

test.each<[string, number[], (id: string) => Promise<{ status: number }>]>([
  ['a ban', [200, 200], (id) => v1(admin, 'POST', `/users/${id}/ban`, { reason: 'spam' })],
  ['the end of a ban', [200, 200], (id) => v1(admin, 'DELETE', `/users/${id}/ban`)],
  ['a role', [200, 200], (id) => v1(admin, 'PUT', `/users/${id}/role`, { role: 'moderator' })],
  ['a deletion', [204, 404], (id) => v1(admin, 'DELETE', `/users/${id}`)],
  ['a new user', [201, 409], (id) => v1(admin, 'POST', '/users', { email: `${id}@new.example`, name: 'New' })],
])(
  'R-53 %s that comes twice, as from a proxy that tries again, is answered %j and done once',
  async (_what, expected, send) => {
    const inTurn = (await createMember()).id
    expect([(await send(inTurn)).status, (await send(inTurn)).status]).toEqual(expected)

    const atOnce = (await createMember()).id
    const both = await Promise.all([send(atOnce), send(atOnce)])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual(expected)
  },
)
