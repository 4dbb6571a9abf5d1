import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service
const { v1, auth, whois, createMember, open } = await createDoors(service)
const otherAdmin = await service.createSignedIn('admin')

/** An admin, somebody they act as, and the session in which they do. */
async function impersonation(role = 'user') {
  const [admin, user] = [await createMember('admin'), await createMember(role)]
  const answer = await auth(admin, '/admin/impersonate-user', { userId: user.id })
  return { admin, user, acting: await open(sessionCookieIn(answer)) }
}

test('an admin acts as a user, and stops', async () => {
  const { admin, user, acting } = await impersonation()
  expect(await whois({ token: acting.token })).toBe(user.id)
  const { body } = await v1(acting, 'GET', '/auth/session')
  expect(body['session']).toMatchObject({ userId: user.id, impersonatedBy: admin.id })

  await v1(otherAdmin, 'DELETE', `/users/${user.id}/sessions/${acting.sessionId}`)

  expect(await whois({ token: acting.token })).toBe('session-ended')
  expect(await whois({ token: user.token })).toBe(user.id)
  expect(await whois({ token: admin.token })).toBe(admin.id)
})

describe('who stops acting as somebody', () => {
  /** An admin who acts as a user, with both cookies that they were given. */
  async function begin() {
    const [admin, user] = [await createMember('admin'), await createMember()]
    const { cookies } = await auth(admin, '/admin/impersonate-user', { userId: user.id })
    const pairs = cookies.map((cookie) => cookie.slice(0, cookie.indexOf(';'))).filter((pair) => !pair.endsWith('='))
    const [acting = '', own = ''] = ['session_token=', 'admin_session='].map((name) =>
      pairs.find((pair) => pair.includes(name)),
    )
    return { admin, acting, own }
  }
  const stop = (cookie: string) => auth({ cookie }, '/admin/stop-impersonating')

  test('is back in the session of before', async () => {
    const { admin, acting, own } = await begin()

    const answer = await stop(`${acting}; ${own}`)

    expect(answer.status).toBe(200)
    expect(await whois({ cookie: sessionCookieIn(answer) })).toBe(admin.id)
    expect(await whois({ cookie: acting })).toBe('session-ended')
  })

  test.each<[string, (given: Awaited<ReturnType<typeof begin>>) => Promise<string> | string]>([
    ['without its cookie', () => ''],
    ['with a cookie that we did not sign', ({ own }) => `${own.slice(0, -8)}AAAAA%3D`],
    ['with the cookie of another admin', async () => (await begin()).own],
    [
      'after it has ended',
      async ({ admin, own }) => {
        await db.deleteFrom('session').where('id', '=', admin.sessionId).execute()
        return own
      },
    ],
  ])('is told that there is none to return to %s', async (_what, cookieOf) => {
    const given = await begin()

    const answer = await stop(`${given.acting}; ${await cookieOf(given)}`)

    expect(answer).toMatchObject({ status: 400, refusal: 'NO_ADMIN_SESSION' })
    expect(answer.cookies).toEqual([])
  })

  test('acts as somebody, or is refused', async () => {
    const user = await createMember()
    expect([(await stop(user.cookie)).status, (await stop('')).status]).toEqual([400, 401])
  })
})

describe('E-15 while one acts as another admin', () => {
  test.each<[string, (acting: SignedIn, target: SignedIn) => Promise<{ status: number }>]>([
    ['list users through /api/v1', (acting) => v1(acting, 'GET', '/users')],
    ['read a user through /api/v1', (acting, { id }) => v1(acting, 'GET', `/users/${id}`)],
    ['ban through /api/v1', (acting, { id }) => v1(acting, 'POST', `/users/${id}/ban`)],
    ['give a role through /api/v1', (acting, { id }) => v1(acting, 'PUT', `/users/${id}/role`, { role: 'admin' })],
    ['revoke sessions through /api/v1', (acting, { id }) => v1(acting, 'DELETE', `/users/${id}/sessions`)],
    ['list users through Better-Auth', async ({ cookie }) => service.request('/api/auth/admin/list-users', { cookie })],
    ['ban through Better-Auth', (acting, { id }) => auth(acting, '/admin/ban-user', { userId: id })],
    ['unban through Better-Auth', (acting, { id }) => auth(acting, '/admin/unban-user', { userId: id })],
    [
      'give a role through Better-Auth',
      (acting, { id }) => auth(acting, '/admin/set-role', { userId: id, role: 'admin' }),
    ],
    ['remove through Better-Auth', (acting, { id }) => auth(acting, '/admin/remove-user', { userId: id })],
    [
      'revoke sessions through Better-Auth',
      (acting, { id }) => auth(acting, '/admin/revoke-user-sessions', { userId: id }),
    ],
    [
      'list sessions through Better-Auth',
      (acting, { id }) => auth(acting, '/admin/list-user-sessions', { userId: id }),
    ],
    ['act as a third', (acting, { id }) => auth(acting, '/admin/impersonate-user', { userId: id })],
  ])('one may not %s', async (_name, attempt) => {
    const [{ acting }, target] = [await impersonation('admin'), await createMember()]

    expect((await attempt(acting, target)).status).toBe(403)
    expect(await whois({ token: target.token })).toBe(target.id)
    expect(await db.selectFrom('user').select('role').where('id', '=', target.id).execute()).toEqual([{ role: 'user' }])
  })
})

test('E-15 nobody is told what the role allows of the admin as whom one acts', async () => {
  const [{ acting }, moderator] = [await impersonation('admin'), await createMember('moderator')]
  const ask = async (caller: { cookie: string }, permissions: object) => {
    const { status, body } = await auth(caller, '/admin/has-permission', { permissions })
    return [status, body['success']]
  }

  expect(await ask(otherAdmin, { user: ['delete'] })).toEqual([200, true])
  expect(await ask(moderator, { user: ['ban'] })).toEqual([200, true])
  expect(await ask(moderator, { user: ['delete'] })).toEqual([200, false])
  expect(await ask(acting, { user: ['delete'] })).toEqual([403, undefined])
  expect(await ask({ cookie: '' }, { user: ['delete'] })).toEqual([401, undefined])
})

test.each<[string, (admin: SignedIn) => Promise<{ status: number }>]>([
  [
    'changes their password',
    (admin) => auth(admin, '/change-password', { currentPassword: password, newPassword: 'another horse battery' }),
  ],
  ['has all their sessions ended through /api/v1', ({ id }) => v1(otherAdmin, 'DELETE', `/users/${id}/sessions`)],
  [
    'has all their sessions ended through Better-Auth',
    ({ id }) => auth(otherAdmin, '/admin/revoke-user-sessions', { userId: id }),
  ],
  ['ends their other sessions', (admin) => v1(admin, 'DELETE', '/users/me/sessions?keepCurrent=true')],
  ['ends their other sessions through Better-Auth', (admin) => auth(admin, '/revoke-other-sessions')],
])('A-14 who %s acts as nobody any more', async (_what, end) => {
  const { admin, user, acting } = await impersonation()
  expect(await whois({ token: acting.token })).toBe(user.id)

  expect((await end(admin)).status).toBe(200)

  expect(await whois({ token: acting.token })).toBe('session-ended')
  expect(await whois({ cookie: acting.cookie })).toBe('session-ended')
  expect(await whois({ token: user.token })).toBe(user.id)
})

describe('E-18 while one acts as a user', () => {
  const takeovers: [string, (acting: { cookie: string }) => Promise<{ status: number }>][] = [
    [
      'change the password',
      (acting) => auth(acting, '/change-password', { currentPassword: password, newPassword: 'another horse battery' }),
    ],
    ['change the address', (acting) => auth(acting, '/change-email', { newEmail: 'eve@example.com', password })],
    [
      'confirm another address',
      (acting) => auth(acting, '/change-email/confirm', { newEmail: 'eve@example.com', token: 'any' }),
    ],
    ['delete the account', (acting) => auth(acting, '/delete-user', { password })],
    ['delete the account without the password', (acting) => auth(acting, '/delete-user')],
    ['change the profile', (acting) => auth(acting, '/update-user', { name: 'Eve' })],
    ['revoke one session', (acting) => auth(acting, '/revoke-session', { token: 'any' })],
    ['revoke all sessions', (acting) => auth(acting, '/revoke-sessions')],
    ['revoke the other sessions', (acting) => auth(acting, '/revoke-other-sessions')],
    ["read a provider's token", (acting) => auth(acting, '/get-access-token', { accountId: 'any' })],
    ["renew a provider's token", (acting) => auth(acting, '/refresh-token', { accountId: 'any' })],
    ['unlink a sign-in method', (acting) => auth(acting, '/unlink-account', { accountId: 'any' })],
    ['link a sign-in method', (acting) => auth(acting, '/link-social', { provider: 'google', callbackURL: '/' })],
  ]

  test.each(takeovers)('one may not %s', async (_name, attempt) => {
    const { user, acting } = await impersonation()

    expect((await attempt(acting)).status).toBe(403)
    expect(await whois({ token: user.token })).toBe(user.id)
    const accounts = await db.selectFrom('account').select('provider_id').where('user_id', '=', user.id).execute()
    expect(accounts).toEqual([{ provider_id: 'credential' }])
  })

  test.each(takeovers)("one may not %s with one's own cookie beside", async (_name, attempt) => {
    const { admin, user, acting } = await impersonation()
    // Parsers differ in which of two they take: each must meet the rule.
    for (const cookie of [`${acting.cookie}; ${admin.cookie}`, `\u00A0${acting.cookie}; ${admin.cookie}`]) {
      await attempt({ cookie })
      expect(await whois({ token: user.token })).toBe(user.id)
      expect(await db.selectFrom('account').select('user_id').where('user_id', '=', user.id).execute()).toHaveLength(1)
    }
  })
})

test.each<[string, string, object?]>([
  ['PATCH', '/users/me', { name: 'Eve' }],
  ['DELETE', '/users/me/sessions'],
  ['DELETE', '/users/me/sessions?keepCurrent=true'],
  ['DELETE', '/users/me'],
])('E-18 while one acts as a user, %s %s is refused', async (method, path, json) => {
  const { user, acting } = await impersonation()

  expect(await v1(acting, method, path, json)).toMatchObject({ status: 403, refusal: 'forbidden' })
  expect(await whois({ token: user.token })).toBe(user.id)
})

test('the JWT of an impersonated session says who acts, and lends no role', async () => {
  const { admin, user, acting } = await impersonation('admin')

  expect(decodeJwt(acting.token)).toMatchObject({ sub: user.id, role: 'user', act: { sub: admin.id } })
  expect(decodeJwt(user.token)).toMatchObject({ sub: user.id, role: 'admin' })
  expect(decodeJwt(user.token)).not.toHaveProperty('act')
  const verified = async ({ token }: SignedIn) => (await v1({ token }, 'POST', '/auth/verify', {})).body
  expect(await verified(acting)).toMatchObject({ role: 'user', act: { sub: admin.id }, scope: 'account:read' })
  expect(await verified(user)).toMatchObject({ role: 'admin', act: null })
})

test.each<[string, (admin: SignedIn) => Promise<unknown>]>([
  ['demoted through /api/v1', ({ id }) => v1(otherAdmin, 'PUT', `/users/${id}/role`, { role: 'user' })],
  ['demoted through Better-Auth', ({ id }) => auth(otherAdmin, '/admin/set-role', { userId: id, role: 'moderator' })],
  ['demoted in SQL', ({ id }) => db.updateTable('user').set({ role: 'user' }).where('id', '=', id).execute()],
  ['banned through /api/v1', ({ id }) => v1(otherAdmin, 'POST', `/users/${id}/ban`)],
  ['banned through Better-Auth', ({ id }) => auth(otherAdmin, '/admin/ban-user', { userId: id })],
  ['banned in SQL', ({ id }) => db.updateTable('user').set({ banned: true }).where('id', '=', id).execute()],
  ['deleted through /api/v1', ({ id }) => v1(otherAdmin, 'DELETE', `/users/${id}`)],
  ['removed through Better-Auth', ({ id }) => auth(otherAdmin, '/admin/remove-user', { userId: id })],
  ['deleted by themselves', (admin) => auth(admin, '/delete-user', { password })],
  ['deleted in SQL', ({ id }) => db.deleteFrom('user').where('id', '=', id).execute()],
])('A-14 impersonation ends when the admin is %s', async (_name, change) => {
  const { admin, user, acting } = await impersonation()

  await change(admin)

  expect(await whois({ token: acting.token })).toBe('session-ended')
  expect(await whois({ cookie: acting.cookie })).toBe('session-ended')
  expect(await whois({ token: user.token })).toBe(user.id)
})

test('impersonation ends when the user is banned, and nobody can begin it then', async () => {
  const { admin, user, acting } = await impersonation()

  await v1(admin, 'POST', `/users/${user.id}/ban`)

  expect(await whois({ token: acting.token })).toBe('banned')
  const again = await auth(admin, '/admin/impersonate-user', { userId: user.id })
  expect(again).toMatchObject({ status: 403, refusal: 'BANNED_USER' })
})
