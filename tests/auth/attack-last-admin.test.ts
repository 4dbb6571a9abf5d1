import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { clientOf, grantClient } from '../support/openapi.ts'
import { sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile()
const { db } = service
const { v1, auth, whois, createMember, rowsOf } = await createDoors(service)
const admin = await service.createSignedIn('admin')

const userIs = (id: string) => db.updateTable('user').where('id', '=', id)

beforeEach(async () => {
  await userIs(admin.id).set({ role: 'admin' }).execute()
  const others = db.updateTable('user').set({ role: 'user' }).where('role', '=', 'admin')
  await others.where('id', '!=', admin.id).execute()
})

/** Somebody with a password who is the only admin, now that `admin` is none. */
async function lastAdmin(): Promise<SignedIn> {
  const last = await createMember('admin')
  await userIs(admin.id).set({ role: 'user' }).execute()
  return last
}

test.each<[string, (last: SignedIn) => Promise<unknown>]>([
  ['demote themselves through /api/v1', (last) => v1(last, 'PUT', '/users/me/role', { role: 'user' })],
  ['demote themselves through Better-Auth', (last) => auth(last, '/admin/set-role', { userId: last.id, role: 'user' })],
  [
    'demote themselves through the update of Better-Auth',
    (last) => auth(last, '/admin/update-user', { userId: last.id, data: { role: 'user' } }),
  ],
  ['ban themselves through /api/v1', (last) => v1(last, 'POST', '/users/me/ban')],
  ['ban themselves through Better-Auth', (last) => auth(last, '/admin/ban-user', { userId: last.id })],
  ['delete themselves through /api/v1', (last) => v1(last, 'DELETE', '/users/me')],
  ['delete themselves through Better-Auth', (last) => auth(last, '/delete-user', { password })],
  ['remove themselves through Better-Auth', (last) => auth(last, '/admin/remove-user', { userId: last.id })],
  ['be demoted in SQL', ({ id }) => userIs(id).set({ role: 'moderator' }).execute()],
  ['be banned in SQL', ({ id }) => userIs(id).set({ banned: true }).execute()],
  [
    'be banned for a while in SQL',
    ({ id }) =>
      userIs(id)
        .set({ banned: true, ban_expires: new Date(Date.now() + 60_000) })
        .execute(),
  ],
  ['be deleted in SQL', ({ id }) => db.deleteFrom('user').where('id', '=', id).execute()],
  ['be deleted with everybody in SQL', () => db.deleteFrom('user').execute()],
  ['be truncated in SQL', () => sql`truncate "user" cascade`.execute(db)],
  ['be demoted with everybody in SQL', () => db.updateTable('user').set({ role: 'user' }).execute()],
])('E-08, E-09, E-12, E-13 the last admin cannot %s', async (_name, attempt) => {
  const last = await lastAdmin()
  const before = await rowsOf(last.id)

  const refusal = await attempt(last).then(refusalIn, refusalIn)

  const after = await rowsOf(last.id)
  expect(['last_admin', 409, 400]).toContain(refusal)
  expect(after).toEqual(before)
  expect(after.accounts).toHaveLength(1)
  expect(await whois({ token: last.token })).toBe(last.id)
})

test.each<[string, string, string, string, object?]>([
  // Before it is asked whether they are the last: the application has less than they have.
  ['demoted', 'forbidden', 'PUT', '/users/me/role', { role: 'user' }],
  ['banned', 'self-action', 'POST', '/users/me/ban', {}],
  ['deleted', 'self-action', 'DELETE', '/users/me'],
])('E-13 the last admin is not %s by an application that acts for them: %s', async (_, refusal, method, path, json) => {
  const last = await grantClient(service, await lastAdmin())
  const scope = 'users:role users:ban users:delete users:read'
  const claims = { client_id: clientOf(last.id), jti: randomUUID(), scope }
  await db
    .updateTable('oauth_grant')
    .set({ scopes: JSON.stringify(scope.split(' ')) })
    .execute()
  await db
    .updateTable('oauth_client')
    .set({ scopes: JSON.stringify(scope.split(' ')) })
    .execute()
  const token = signed(await signingKeyOf(service), sessionClaims(service, last, claims), { typ: 'at+jwt' })
  const other = await createMember()
  const before = await rowsOf(last.id)

  expect(await v1({ token }, method, path, json)).toMatchObject({ refusal })
  expect(await rowsOf(last.id)).toEqual(before)
  // The token is good for as much to somebody else.
  expect((await v1({ token }, method, path.replace('me', other.id), json)).status).toBeLessThan(300)
})

test('E-09 no admin bans or deletes themselves, even where there is another', async () => {
  const other = await createMember('admin')
  const before = await rowsOf(other.id)
  const answers = [
    await v1(other, 'POST', '/users/me/ban', {}),
    await v1(other, 'POST', `/users/${other.id}/ban`, {}),
    await v1(other, 'DELETE', '/users/me'),
    await auth(other, '/admin/ban-user', { userId: other.id }),
    await auth(other, '/admin/remove-user', { userId: other.id }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([409, 409, 409, 400, 400])
  expect(await rowsOf(other.id)).toEqual(before)
})

test('E-08, E-12, E-13 the last admin is told so in the shape of either door', async () => {
  const last = await lastAdmin()

  const answers = [
    await v1(last, 'PUT', '/users/me/role', { role: 'user' }),
    await auth(last, '/admin/set-role', { userId: last.id, role: 'user' }),
    await auth(last, '/delete-user', { password }),
  ]

  expect(answers.map(({ status, refusal }) => [status, refusal])).toEqual([
    [409, 'last-admin'],
    [409, 'LAST_ADMIN'],
    [409, 'LAST_ADMIN'],
  ])
})

/** How an attempt was refused: the status of an answer, or the rule of the database. */
function refusalIn(outcome: unknown): unknown {
  const { status, constraint } = outcome as { status?: number; constraint?: string }
  return status ?? constraint
}
