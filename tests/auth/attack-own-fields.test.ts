import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { invalidAt, problemOf } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const { v1, auth, createMember, rowsOf } = await createDoors(service)
const admin = await service.createSignedIn('admin')

const inFuture = '2099-01-01T00:00:00Z'
/** What nobody chooses of their own account. */
const forbidden: [field: string, value: unknown][] = [
  ['role', 'admin'],
  ['banned', false],
  ['banReason', 'none'],
  ['banExpires', inFuture],
  ['emailVerified', true],
  ['email', 'eve@example.com'],
  ['id', 'mine'],
  ['createdAt', inFuture],
  ['updatedAt', inFuture],
  ['password', password],
  ['validAfter', null],
  ['valid_after', null],
  ['__proto__', { role: 'admin' }],
  ['constructor', { prototype: { role: 'admin' } }],
]
const json = 'application/json'
/** JSON with a member of any name, `__proto__` too. */
const withField = (field: string, value: unknown, given: object = { name: 'Eve' }) =>
  `${JSON.stringify(given).slice(0, -1)},${JSON.stringify(field)}:${JSON.stringify(value)}}`

describe('E-01 who signs up', () => {
  test.each(forbidden.filter(([field]) => !['email', 'password'].includes(field)))(
    'does not choose their %s',
    async (field, value) => {
      const email = `${randomUUID()}@example.com`
      const body = withField(field, value, { email, name: 'Ada', password })
      const headers = { origin: service.baseUrl, 'content-type': json }

      const response = await request('/api/auth/sign-up/email', { body, headers })

      const rows = await db.selectFrom('user').selectAll().where('email', '=', email).execute()
      expect(rows).toHaveLength(response.status === 200 ? 1 : 0)
      // Better-Auth refuses these, and does not hear the others.
      expect(response.status).toBe(['role', 'banReason', 'banExpires'].includes(field) ? 400 : 200)
      const harmless = { role: 'user', banned: false, ban_reason: null, ban_expires: null, email_verified: false }
      expect(rows).toMatchObject(rows.map(() => ({ ...harmless, valid_after: null })))
      for (const { id, created_at } of rows) {
        expect(id).not.toBe('mine')
        expect(created_at.getFullYear()).toBeLessThan(2099)
      }
    },
  )
})

describe.each(forbidden)('of one’s own account the field %s', (field, value) => {
  test('E-02, E-07 is refused by /api/v1', async () => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)

    const options = { method: 'PATCH', body: withField(field, value), headers: { 'content-type': json } }
    const response = await request('/api/v1/users/me', { ...options, token: ada.token })

    expect(await problemOf(response)).toEqual(invalidAt(`/${field}`))
    expect(await rowsOf(ada.id)).toEqual(before)
  })

  test('E-03, E-07 is refused by Better-Auth, with all that is beside it', async () => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)

    const headers = { 'content-type': json }
    for (const given of [{ name: 'Eve' }, { name: 'Eve', image: 'https://example.com/eve.png' }]) {
      const body = withField(field, value, given)
      const response = await request('/api/auth/update-user', { cookie: ada.cookie, body, headers })
      expect([response.status, await response.json()]).toEqual([
        400,
        { code: 'FIELD_NOT_ALLOWED', message: 'Only "name" and "image" can be set here' },
      ])
    }
    expect(await rowsOf(ada.id)).toEqual(before)
  })

  test.skipIf(field === 'email' || field === 'emailVerified')(
    'E-02 is refused by /api/v1 to an admin too',
    async () => {
      const ada = await service.createUser()
      const options = { method: 'PATCH', body: withField(field, value), headers: { 'content-type': json } }
      const response = await request(`/api/v1/users/${ada.id}`, { ...options, token: admin.token })
      expect(await problemOf(response)).toEqual(invalidAt(`/${field}`))
    },
  )
})

test('E-02, E-03 one’s own name and picture are changed through both doors', async () => {
  const ada = await createMember()
  const image = 'https://example.com/ada.png'
  expect((await v1(ada, 'PATCH', '/users/me', { name: 'Ada', image })).status).toBe(200)
  expect((await rowsOf(ada.id)).user).toMatchObject([{ name: 'Ada', image }])
  expect((await auth(ada, '/update-user', { name: 'Ada King', image: null })).status).toBe(200)
  expect((await rowsOf(ada.id)).user).toMatchObject([{ name: 'Ada King', image: null }])
})

describe('E-03 of one’s own session', () => {
  test.each<[string, unknown]>([
    ['impersonatedBy', admin.id],
    ['userId', admin.id],
    ['expiresAt', inFuture],
    ['token', 'mine'],
    ['notAfter', inFuture],
    ['id', 'mine'],
    ['ipAddress', '192.0.2.1'],
    ['userAgent', 'none'],
    ['__proto__', { userId: admin.id }],
  ])('the field %s is refused', async (field, value) => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)

    const options = { cookie: ada.cookie, body: withField(field, value, { a: 1 }), headers: { 'content-type': json } }
    expect((await request('/api/auth/update-session', options)).status).toBe(400)
    expect(await rowsOf(ada.id)).toEqual(before)
  })
})

describe('E-04 an admin', () => {
  test.each<[string, unknown]>([
    ['id', 'mine'],
    ['banned', false],
    ['createdAt', inFuture],
    ['validAfter', null],
    ['password', password],
    ['constructor', { prototype: { role: 'admin' } }],
  ])('does not set the %s of somebody through Better-Auth', async (field, value) => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)

    for (const data of [{ [field]: value }, { name: 'Eve', [field]: value }]) {
      const answer = await auth(admin, '/admin/update-user', { userId: ada.id, data })
      expect(answer).toMatchObject({ status: 400, refusal: 'UNKNOWN_FIELD' })
    }
    expect(await rowsOf(ada.id)).toEqual(before)
  })

  test('sets the name', async () => {
    const ada = await createMember()
    expect((await auth(admin, '/admin/update-user', { userId: ada.id, data: { name: 'Ada' } })).status).toBe(200)
    expect((await rowsOf(ada.id)).user).toMatchObject([{ id: ada.id, name: 'Ada' }])
  })
})

describe('E-05 a role of one’s own', () => {
  test.each(['me', 'id'])('is not given through /users/%s/role', async (alias) => {
    const ada = await createMember()
    const path = `/api/v1/users/${alias === 'me' ? 'me' : ada.id}/role`
    const [before, headers] = [await rowsOf(ada.id), { 'x-http-method-override': 'PUT', 'x-method-override': 'PUT' }]
    const role = { role: 'admin' }

    const put = await request(path, { method: 'PUT', token: ada.token, json: role })
    expect(await problemOf(put)).toEqual({ status: 403, slug: 'forbidden', at: [] })
    // What an admin would send, with the token of a user.
    const asAdmin = { ...role, userId: admin.id, actor: admin.id }
    expect((await request(path, { method: 'PUT', token: ada.token, json: asAdmin })).status).toBe(403)
    expect((await request(path, { token: ada.token, json: role, headers })).status).toBe(405)
    expect((await request(`/api/v1/users/me?_method=PUT`, { token: ada.token, json: role, headers })).status).toBe(405)
    expect((await auth(ada, '/admin/set-role', { userId: ada.id, ...role })).status).toBe(403)
    expect(await rowsOf(ada.id)).toEqual(before)
    expect((await v1(admin, 'PUT', `/users/${ada.id}/role`, role)).status).toBe(200)
  })
})

describe('E-07 no prototype is polluted', () => {
  const polluted = () => ({}) as { role?: unknown; admin?: unknown; limit?: unknown }

  test.each([
    '__proto__=x',
    '__proto__=x&__proto__=y',
    '%5F%5Fproto%5F%5F=x',
    '__proto__[role]=admin',
    '__proto__.role=admin',
    'constructor=x',
    'constructor[prototype][role]=admin',
    'constructor.prototype.role=admin',
    'limit[__proto__]=1',
    'toString=1',
    'hasOwnProperty=1',
  ])('by the query ?%s', async (query) => {
    for (const path of ['/users', '/users/me/sessions', '/clients']) {
      const response = await request(`/api/v1${path}?${query}`, { token: admin.token })
      const parameter = decodeURIComponent(query).split('=')[0] ?? ''
      expect(await problemOf(response)).toEqual(invalidAt(parameter))
    }
    await request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })
    expect([polluted().role, polluted().limit]).toEqual([undefined, undefined])
  })

  test.each(['__proto__', 'constructor', 'toString'])('by the member %s of a body', async (field) => {
    const given = { email: `${randomUUID()}@example.com`, name: 'Ada', password }
    const body = withField(field, { role: 'admin' }, given)
    const headers = { 'content-type': json }
    expect(await problemOf(await request('/api/v1/users', { token: admin.token, body, headers }))).toEqual(
      invalidAt(`/${field}`),
    )
    await request('/api/auth/admin/create-user', { cookie: admin.cookie, body, headers })
    expect(await db.selectFrom('user').select('role').where('email', '=', given.email).execute()).not.toContainEqual({
      role: 'admin',
    })
    expect(polluted().role).toBeUndefined()
  })

  test.each(['/api/auth/oauth2/token', '/sign-in', '/sign-up'])('by a form at %s', async (path) => {
    const body = '__proto__=x&__proto__[role]=admin&constructor.prototype.role=admin&__proto__.role=admin'
    const headers = { origin: service.baseUrl, 'content-type': 'application/x-www-form-urlencoded' }
    const { status } = await request(path, { body, headers })
    expect(status).toBeLessThan(500)
    expect(polluted().role).toBeUndefined()
  })
})
