import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'

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
])('the last admin cannot %s', async (_name, attempt) => {
  const last = await lastAdmin()
  const before = await rowsOf(last.id)

  const refusal = await attempt(last).then(refusalIn, refusalIn)

  const after = await rowsOf(last.id)
  expect(['last_admin', 409, 400]).toContain(refusal)
  expect(after).toEqual(before)
  expect(after.accounts).toHaveLength(1)
  expect(await whois({ token: last.token })).toBe(last.id)
})

test('the last admin is told so in the shape of either door', async () => {
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
