import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { auth, rowsOf } = await createDoors(service)
const admin = await service.createSignedIn('admin')

const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Ada', password })

test.each<[string, object, string]>([
  ['a name that is empty', { name: '' }, 'INVALID_NAME'],
  ['a name with a control character', { name: 'A\u0000da' }, 'INVALID_NAME'],
  ['a name that is too long', { name: 'x'.repeat(201) }, 'INVALID_NAME'],
  ['an address that is none', { email: 'ada' }, 'INVALID_EMAIL'],
  ['an address that is too long', { email: `${'a'.repeat(64)}@${'b.'.repeat(94)}com` }, 'INVALID_EMAIL'],
  ['a password that is too short', { password: 'short' }, 'PASSWORD_TOO_SHORT'],
  ['a short password that is long in UTF-16', { password: '🦊🦊🦊🦊' }, 'PASSWORD_TOO_SHORT'],
  ['a password that is too long', { password: 'p'.repeat(129) }, 'PASSWORD_TOO_LONG'],
  ['a picture that is not on https', { data: { image: 'http://example.com/a.png' } }, 'INVALID_IMAGE'],
  ['a text for emailVerified', { data: { emailVerified: 'yes' } }, 'INVALID_FIELD'],
  ['a ban', { data: { banned: true } }, 'UNKNOWN_FIELD'],
  ['a column of ours', { data: { validAfter: '2020-01-01' } }, 'UNKNOWN_FIELD'],
  ['two roles', { role: ['user', 'admin'] }, 'INVALID_ROLE'],
])("Better-Auth's /admin/create-user refuses %s", async (_what, change, refusal) => {
  const { users } = await rowsOf('')

  expect(await auth(admin, '/admin/create-user', { ...newUser(), ...change })).toMatchObject({ status: 400, refusal })
  expect((await rowsOf('')).users).toEqual(users)
})

test.each([
  ['/admin/ban-user', 'moderator', {}],
  ['/admin/remove-user', 'admin', {}],
  ['/admin/set-role', 'admin', { role: 'user' }],
])("Better-Auth's %s takes no list for a user, of which it would make a text", async (path, role, json) => {
  const [helper, { id }] = [await service.createSignedIn(role), await service.createUser({ role: 'admin' })]
  const before = await rowsOf(id)

  expect(await auth(helper, path, { ...json, userId: [id] })).toMatchObject({ status: 400, refusal: 'INVALID_FIELD' })
  expect(await rowsOf(id)).toEqual(before)
})

test('whose session is over is nobody, and is told nothing of what a role allows', async () => {
  const ada = await service.createSignedIn()
  const ask = () => auth(ada, '/admin/ban-user', { userId: admin.id })
  expect(await ask()).toMatchObject({ status: 403, refusal: 'INSUFFICIENT_PERMISSIONS' })

  await service.db.updateTable('session').set({ expires_at: new Date() }).where('id', '=', ada.sessionId).execute()

  expect((await ask()).status).toBe(401)
})

test("Better-Auth's /admin/create-user makes a user without a password, too", async () => {
  const { password: _none, ...given } = newUser()

  expect(await auth(admin, '/admin/create-user', given)).toMatchObject({ status: 200 })
})

test('a session that there is not is ended by an admin as one that is over', async () => {
  expect(await auth(admin, '/admin/revoke-user-session', { sessionToken: 'nobody' })).toMatchObject({ status: 200 })
})

test.each<[string, object, string]>([
  ['a name that is empty', { name: '' }, 'INVALID_NAME'],
  ['a picture that is not on https', { image: 'javascript:alert(1)' }, 'INVALID_IMAGE'],
  ['a number for emailVerified', { emailVerified: 1 }, 'INVALID_FIELD'],
  ['nothing for emailVerified', { emailVerified: null }, 'INVALID_FIELD'],
  ['a list of addresses', { email: ['ada@example.com'] }, 'INVALID_EMAIL'],
  ['a ban', { banned: true }, 'UNKNOWN_FIELD'],
  ['two roles', { role: ['user', 'admin'] }, 'INVALID_ROLE'],
  ['a role that is not a text', { role: 1 }, 'INVALID_ROLE'],
])("Better-Auth's /admin/update-user refuses %s", async (_what, data, refusal) => {
  const user = await service.createUser()
  const before = await rowsOf(user.id)

  const answer = await auth(admin, '/admin/update-user', { userId: user.id, data })

  expect(answer).toMatchObject({ status: 400, refusal })
  expect(await rowsOf(user.id)).toEqual(before)
})

test.each<[string, object, string]>([
  ['an end in the past', { banExpiresIn: -1 }, 'INVALID_BAN_EXPIRY'],
  ['an end at once', { banExpiresIn: 0 }, 'INVALID_BAN_EXPIRY'],
  ['half a second', { banExpiresIn: 0.5 }, 'INVALID_BAN_EXPIRY'],
  ['an end that no date can hold', { banExpiresIn: 1e300 }, 'INVALID_BAN_EXPIRY'],
  ['an end in more than three hundred years', { banExpiresIn: 1e10 }, 'INVALID_BAN_EXPIRY'],
  ['a reason that is too long', { banReason: 'x'.repeat(501) }, 'INVALID_BAN_REASON'],
  ['a reason with a control character', { banReason: 'a\u001bb' }, 'INVALID_BAN_REASON'],
  ['a reason with half of a surrogate pair', { banReason: 'a\ud800' }, 'INVALID_BAN_REASON'],
])("Better-Auth's /admin/ban-user refuses %s", async (_what, change, refusal) => {
  const user = await service.createUser()
  const before = await rowsOf(user.id)

  const answer = await auth(admin, '/admin/ban-user', { userId: user.id, ...change })

  expect(answer).toMatchObject({ status: 400, refusal })
  expect(await rowsOf(user.id)).toEqual(before)
})

test.each<[string, object]>([
  ['for the longest time', { banExpiresIn: 1e10 - 1 }],
  ['for the longest reason', { banReason: 'x'.repeat(500) }],
  ['for no reason', {}],
])("Better-Auth's /admin/ban-user bans %s", async (_what, change) => {
  const user = await service.createUser()

  expect((await auth(admin, '/admin/ban-user', { userId: user.id, ...change })).status).toBe(200)
  expect((await rowsOf(user.id)).user).toMatchObject([{ banned: true }])
})

test('D-07 Better-Auth’s /admin/list-users has a hundred users on a page, and no more where no limit is given', async () => {
  await service.db
    .insertInto('user')
    .values(Array.from({ length: 101 }, newUser).map(({ name, email }) => ({ id: email, name, email })))
    .execute()
  const response = await service.request('/api/auth/admin/list-users', { cookie: admin.cookie })

  const { users, limit } = (await response.json()) as { users: unknown[]; limit: number }
  expect([users.length, limit]).toEqual([100, 100])
})

// Each row that is skipped is read, and no page is larger than one of /api/v1.
test.each([
  'searchField=x',
  'filterField=valid_after&filterValue=1',
  'searchValue=%00',
  'filterField=name&filterValue=a%00',
  'filterField=createdAt&filterValue=abc',
  'filterField=createdAt&filterValue=',
  'filterField=createdAt&filterValue=1&filterOperator=gt',
  'filterField=createdAt&filterValue=2020-01-01&filterOperator=contains',
  'filterField=banned&filterValue=x&filterOperator=contains',
  'filterField=banned&filterValue=abc',
  'filterField=name&filterValue=a&filterOperator=in',
  'filterField=name&filterValue=a&filterValue=b',
  'searchField=banned&searchValue=t',
  'limit=-1',
  'limit=0',
  'limit=1.5',
  'limit=101',
  'limit=999999999',
  'offset=10001',
  'offset=999999999',
  'offset=99999999999999999999999',
])("N-17 Better-Auth's /admin/list-users refuses ?%s", async (query) => {
  const response = await service.request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })

  expect(response.status).toBe(400)
})

test.each([
  '',
  'limit=2&offset=1&sortBy=email&sortDirection=desc',
  'limit=100&offset=0',
  'searchField=name&searchValue=Ad&searchOperator=contains',
  'filterField=createdAt&filterValue=2020-01-01T00:00:00Z&filterOperator=gt',
  'filterField=role&filterValue=admin',
  'filterField=role&filterOperator=in&filterValue=admin&filterValue=user',
  'filterField=role&filterOperator=not_in&filterValue=moderator&filterValue=nobody',
  'filterField=banned&filterValue=false',
  'filterField=updatedAt&filterOperator=gt&filterValue=2020-01-01',
])("Better-Auth's /admin/list-users answers ?%s with users", async (query) => {
  await auth(admin, '/admin/create-user', newUser())
  const response = await service.request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })

  expect(response.status).toBe(200)
  const { users } = (await response.json()) as { users: unknown[] }
  expect(users.length).toBeGreaterThan(0)
})

test('a new address given by Better-Auth counts as unverified, the old one stays what it was', async () => {
  const user = await service.createUser()
  const verified = async () =>
    (await rowsOf(user.id)).user.map((row) => (row as { email_verified: boolean }).email_verified)
  const update = (data: object) => auth(admin, '/admin/update-user', { userId: user.id, data })

  await update({ email: user.email.toUpperCase() })
  expect(await verified()).toEqual([true])
  await update({ email: newUser().email })
  expect(await verified()).toEqual([false])
  await update({ email: newUser().email, emailVerified: true })
  expect(await verified()).toEqual([true])
})

test('what the rules let through is written', async () => {
  const answer = await auth(admin, '/admin/create-user', {
    ...newUser(),
    role: 'moderator',
    data: { image: 'https://example.com/ada.png', emailVerified: true },
  })

  const { id } = answer.body['user'] as { id: string }
  expect((await rowsOf(id)).user).toMatchObject([
    { name: 'Ada', role: 'moderator', image: 'https://example.com/ada.png', email_verified: true },
  ])
  const data = { name: 'Ada King', role: 'user', image: null }
  expect((await auth(admin, '/admin/update-user', { userId: id, data })).status).toBe(200)
  expect((await rowsOf(id)).user).toMatchObject([{ name: 'Ada King', role: 'user', image: null }])
})
