import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Answer, createDoors, sessionTokenOf } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { v1, auth, whois, createMember, rowsOf } = await createDoors(service)
const admin = await service.createSignedIn('admin')

type Attempt = (actor: SignedIn, target: SignedIn) => Promise<Answer>

/** What a moderator may do to users, by the door. */
const moderations: [name: string, attempt: Attempt][] = [
  ['ban through /api/v1', (actor, { id }) => v1(actor, 'POST', `/users/${id}/ban`)],
  ['ban through Better-Auth', (actor, { id }) => auth(actor, '/admin/ban-user', { userId: id })],
  ['unban through /api/v1', (actor, { id }) => v1(actor, 'DELETE', `/users/${id}/ban`)],
  ['unban through Better-Auth', (actor, { id }) => auth(actor, '/admin/unban-user', { userId: id })],
  [
    'revoke a session through /api/v1',
    (actor, { id, sessionId }) => v1(actor, 'DELETE', `/users/${id}/sessions/${sessionId}`),
  ],
  [
    'revoke a session through Better-Auth',
    (actor, target) => auth(actor, '/admin/revoke-user-session', { sessionToken: sessionTokenOf(target) }),
  ],
  ['revoke all sessions through /api/v1', (actor, { id }) => v1(actor, 'DELETE', `/users/${id}/sessions`)],
  [
    'revoke all sessions through Better-Auth',
    (actor, { id }) => auth(actor, '/admin/revoke-user-sessions', { userId: id }),
  ],
]

/** What a moderator may do to nobody. */
const beyond: [name: string, attempt: Attempt][] = [
  ['give a role through /api/v1', (actor, { id }) => v1(actor, 'PUT', `/users/${id}/role`, { role: 'moderator' })],
  [
    'give a role through Better-Auth',
    (actor, { id }) => auth(actor, '/admin/set-role', { userId: id, role: 'moderator' }),
  ],
  [
    'give a role through the update of Better-Auth',
    (actor, { id }) => auth(actor, '/admin/update-user', { userId: id, data: { role: 'moderator' } }),
  ],
  ['give themselves a role through /api/v1', (actor) => v1(actor, 'PUT', '/users/me/role', { role: 'admin' })],
  [
    'give themselves a role through Better-Auth',
    (actor) => auth(actor, '/admin/set-role', { userId: actor.id, role: 'admin' }),
  ],
  ['create an admin through /api/v1', (actor) => v1(actor, 'POST', '/users', newUser({ role: 'admin' }))],
  ['create an admin through Better-Auth', (actor) => auth(actor, '/admin/create-user', newUser({ role: 'admin' }))],
  ['delete through /api/v1', (actor, { id }) => v1(actor, 'DELETE', `/users/${id}`)],
  ['delete through Better-Auth', (actor, { id }) => auth(actor, '/admin/remove-user', { userId: id })],
  ['rename through /api/v1', (actor, { id }) => v1(actor, 'PATCH', `/users/${id}`, { name: 'x' })],
  [
    'rename through Better-Auth',
    (actor, { id }) => auth(actor, '/admin/update-user', { userId: id, data: { name: 'x' } }),
  ],
  ['impersonate', (actor, { id }) => auth(actor, '/admin/impersonate-user', { userId: id })],
]

function newUser(values: object) {
  return { email: `${randomUUID()}@example.com`, name: 'New', password, ...values }
}

describe('E-14 a moderator', () => {
  test.each(moderations)('may %s, with a user', async (_name, attempt) => {
    const [moderator, user] = [await service.createSignedIn('moderator'), await createMember()]

    expect((await attempt(moderator, user)).refusal).toBeUndefined()
  })

  test.each([...moderations, ...beyond])('may not %s, with an admin', async (_name, attempt) => {
    const [moderator, other] = [await service.createSignedIn('moderator'), await createMember('admin')]
    const before = await rowsOf(other.id)

    expect((await attempt(moderator, other)).status).toBe(403)
    expect(await rowsOf(other.id)).toEqual(before)
  })

  test.each(beyond)('may not %s, with a user', async (_name, attempt) => {
    const [moderator, user] = [await service.createSignedIn('moderator'), await createMember()]
    const before = await rowsOf(user.id)

    expect((await attempt(moderator, user)).status).toBe(403)
    expect(await rowsOf(user.id)).toEqual(before)
  })

  test.each<[string, (cookie: string) => Record<string, string>]>([
    ['followed by a second session cookie', (cookie) => ({ cookie: `${cookie}; ${nameOf(cookie)}=x.y` })],
    ['after one with a name that looks the same', (cookie) => ({ cookie: `\u00A0${cookie}; ${nameOf(cookie)}=x.y` })],
    ['in half a pair of quotes', (cookie) => ({ cookie: `${nameOf(cookie)}="${valueOf(cookie)}x` })],
    ['as a bearer token', (cookie) => ({ authorization: `Bearer ${valueOf(cookie)}` })],
    [
      'as a bearer token beside a bad cookie',
      (cookie) => ({ authorization: `Bearer ${valueOf(cookie)}`, cookie: `${nameOf(cookie)}=x.y` }),
    ],
  ])('may not ban an admin with a cookie %s', async (_name, present) => {
    const [moderator, other] = [await service.createSignedIn('moderator'), await createMember('admin')]
    const headers = { origin: service.baseUrl, ...present(moderator.cookie) }

    const response = await service.request('/api/auth/admin/ban-user', { headers, json: { userId: other.id } })

    expect([401, 403]).toContain(response.status)
    expect(await whois({ token: other.token })).toBe(other.id)
  })
})

describe('E-14 an admin', () => {
  test.each(moderations)('may %s, with an admin', async (_name, attempt) => {
    expect((await attempt(admin, await createMember('admin'))).refusal).toBeUndefined()
  })

  test.each(beyond.filter(([name]) => !name.includes('themselves')))(
    'may %s, with an admin',
    async (_name, attempt) => {
      expect((await attempt(admin, await createMember('admin'))).refusal).toBeUndefined()
    },
  )
})

const roleDoors: [door: string, attempt: (target: SignedIn, role: unknown) => Promise<Answer>][] = [
  ['/api/v1', ({ id }, role) => v1(admin, 'PUT', `/users/${id}/role`, { role })],
  ['Better-Auth', ({ id }, role) => auth(admin, '/admin/set-role', { userId: id, role })],
  ['the update of Better-Auth', ({ id }, role) => auth(admin, '/admin/update-user', { userId: id, data: { role } })],
  ['a new user through /api/v1', (_target, role) => v1(admin, 'POST', '/users', newUser({ role }))],
  ['a new user through Better-Auth', (_target, role) => auth(admin, '/admin/create-user', newUser({ role }))],
  [
    'the data of a new user through Better-Auth',
    (_target, role) => auth(admin, '/admin/create-user', newUser({ data: { role } })),
  ],
]
const badRoles = [
  'admin,user',
  'admin, user',
  'superuser',
  'constructor',
  '__proto__',
  'ADMIN',
  '',
  ' admin',
  ['admin', 'user'],
  [],
  null,
  7,
  {},
]

describe.each(roleDoors)('E-05 %s', (_door, attempt) => {
  test.each(badRoles.map((role) => [JSON.stringify(role), role]))('refuses %s as a role', async (_name, role) => {
    const user = await createMember()
    const before = await rowsOf(user.id)

    const { status } = await attempt(user, role)

    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(await rowsOf(user.id)).toEqual(before)
  })
})

function nameOf(cookie: string): string {
  return cookie.slice(0, cookie.indexOf('='))
}

function valueOf(cookie: string): string {
  return cookie.slice(cookie.indexOf('=') + 1)
}
