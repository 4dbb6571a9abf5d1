import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { age } from '../support/session-age.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const { db, request } = service
// Until then the database is asked each time.
await vi.waitUntil(() => service.services.authority.gauges().heartbeatAge < 2_000)
const { v1, auth, whois, createMember } = await createDoors(service)
const patient = { timeout: 10_000 }
const admin = await service.createSignedIn('admin')

async function me(credential: { token: string } | { cookie: string }): Promise<Record<string, unknown>> {
  return (await (await request('/api/v1/auth/me', credential)).json()) as Record<string, unknown>
}

/** Waits until a user is known from memory, by token and by cookie. */
async function warm({ id, token, cookie }: SignedIn): Promise<void> {
  const ask = async () => expect([await whois({ token }), await whois({ cookie })]).toEqual([id, id])
  await expect.poll(() => queriesOf(ask), patient).toEqual([])
}

const doors: [string, (user: SignedIn, name: string) => Promise<unknown>][] = [
  ['/api/v1', (user, name) => v1(user, 'PATCH', '/users/me', { name })],
  ['Better-Auth', (user, name) => auth(user, '/update-user', { name })],
  ['an admin at Better-Auth', ({ id }, name) => auth(admin, '/admin/update-user', { userId: id, data: { name } })],
  ['SQL', ({ id }, name) => db.updateTable('user').set({ name }).where('id', '=', id).execute()],
]

test.each(doors)('a name that is changed through %s is what is shown next', async (_door, rename) => {
  const user = await createMember()
  await warm(user)
  await rename(user, 'Augusta')
  expect((await me({ token: user.token }))['name']).toBe('Augusta')
  expect((await me({ cookie: user.cookie }))['name']).toBe('Augusta')
})

const roles: [string, (user: SignedIn, role: string) => Promise<unknown>][] = [
  ['/api/v1', ({ id }, role) => v1(admin, 'PUT', `/users/${id}/role`, { role })],
  ['Better-Auth', ({ id }, role) => auth(admin, '/admin/set-role', { userId: id, role })],
  ['SQL', ({ id }, role) => db.updateTable('user').set({ role }).where('id', '=', id).execute()],
]

test.each(roles)('a role that is given and taken through %s decides on the next request', async (_door, give) => {
  const user = await createMember()
  const statuses = async () => [
    (await request('/api/v1/users', { token: user.token })).status,
    (await request('/api/v1/users', { cookie: user.cookie })).status,
  ]
  for (const [role, status] of [
    ['admin', 200],
    ['user', 403],
  ] as const) {
    await warm(user)
    await give(user, role)
    expect(await statuses()).toEqual([status, status])
    expect((await me({ token: user.token }))['role']).toBe(role)
  }
})

test.each<[string, (user: SignedIn) => Promise<unknown>]>([
  ['/api/v1', ({ id }) => v1(admin, 'DELETE', `/users/${id}/ban`)],
  ['Better-Auth', ({ id }) => auth(admin, '/admin/unban-user', { userId: id })],
  ['SQL', ({ id }) => db.updateTable('user').set({ banned: false }).where('id', '=', id).execute()],
])('a ban that is kept in memory ends with an unban through %s', async (_door, unban) => {
  const user = await createMember()
  await v1(admin, 'POST', `/users/${user.id}/ban`)
  expect(await whois(user)).toBe('banned')
  const ask = async () => expect(await whois({ token: user.token })).toBe('banned')
  await expect.poll(() => queriesOf(ask), patient).toEqual([])
  await unban(user)
  expect(await whois({ token: user.token })).toBe('session-ended')
  const { id, token } = await service.signIn(user)
  expect(await whois({ token })).toBe(id)
})

test('a ban that is kept in memory ends by time, of which nobody tells', async () => {
  const user = await createMember()
  const expires = new Date(Date.now() + 1_500)
  await db.updateTable('user').set({ banned: true, ban_expires: expires }).where('id', '=', user.id).execute()
  expect(await whois({ token: user.token })).toBe('banned')
  await expect.poll(() => whois({ token: user.token }), patient).toBe('session-ended')
  expect(Date.now()).toBeGreaterThanOrEqual(expires.getTime())
  const again = await service.signIn(user)
  await warm(again)
})

test('a session that slides stays, and slides once', async () => {
  const user = await createMember()
  await age(service, user, 2 * 86_400_000)
  const endOf = async () => {
    const { expires_at } = await db
      .selectFrom('session')
      .select('expires_at')
      .where('id', '=', user.sessionId)
      .executeTakeFirstOrThrow()
    return expires_at.getTime()
  }
  const before = await endOf()
  const first = await request('/api/v1/auth/me', { cookie: user.cookie })
  expect([first.status, first.headers.getSetCookie().length]).toEqual([200, 1])
  expect(await endOf()).toBeGreaterThan(before)
  await warm(user)
})

test('at Better-Auth what tells of the session prolongs it, and nothing else', async () => {
  const user = await createMember()
  await age(service, user, 2 * 86_400_000)
  const ask = async (path: string) => {
    const response = await request(`/api/auth${path}`, { cookie: user.cookie })
    return [response.headers.getSetCookie().length, await response.json()]
  }

  const [set, accounts] = (await ask('/list-accounts')) as [number, object[]]
  expect([set, accounts.length, accounts.some((account) => 'token' in account)]).toEqual([0, 1, false])
  expect(await ask('/get-session')).toEqual([1, expect.objectContaining({ user: expect.anything() as object })])
  expect(await ask('/get-session')).toEqual([0, expect.anything()])
})

test('a session that ends by time is over then, though it is kept in memory', async () => {
  const user = await createMember()
  await sql`update session set expires_at = now() + interval '1.5 seconds' where id = ${user.sessionId}`.execute(db)
  expect(await whois({ token: user.token })).toBe(user.id)
  await expect.poll(() => whois({ token: user.token }), patient).toBe('session-ended')
})

test('what there is not is not kept: it may come to be', async () => {
  const user = await createMember()
  const row = await db.selectFrom('session').selectAll().where('id', '=', user.sessionId).executeTakeFirstOrThrow()
  await db.deleteFrom('session').where('id', '=', user.sessionId).execute()
  expect([await whois({ token: user.token }), await whois({ cookie: user.cookie })]).toEqual([
    'session-ended',
    'session-ended',
  ])
  await db.insertInto('session').values(row).execute()
  await warm(user)
})

test('the gauges tell how it goes', async () => {
  const { gauges } = service.services.authority
  const user = await createMember()
  await expect.poll(() => gauges().heartbeatAge).toBeLessThan(2_000)
  const before = gauges()
  await whois({ token: user.token })
  await whois({ token: user.token })
  const after = gauges()
  expect(after).toMatchObject({ size: before.size + 1, hits: before.hits + 1, misses: before.misses + 1 })
  await db.updateTable('user').set({ name: 'Augusta' }).where('id', '=', user.id).execute()
  expect(gauges()).toMatchObject({ size: before.size, notifications: after.notifications + 1 })
})
