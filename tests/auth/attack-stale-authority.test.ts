import { expect, test, vi } from 'vitest'
import { createDoors, sessionCookieIn, sessionTokenOf } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile()
const { db } = service
const { v1, auth, whois, sessionUser, signInWith, createMember, open } = await createDoors(service)

interface Cast {
  user: SignedIn
  /** Another session of the same user. */
  sibling: SignedIn
  admin: SignedIn
}

/** What the credentials of a user are worth after a change: alive, or the type of the problem. */
interface Worth {
  token: string
  cookie: string
  sibling: string
}

const banned: Worth = { token: 'banned', cookie: 'session-ended', sibling: 'banned' }
const ended: Worth = { token: 'session-ended', cookie: 'session-ended', sibling: 'session-ended' }
const onlyThis: Worth = { token: 'session-ended', cookie: 'session-ended', sibling: 'alive' }
const onlyOthers: Worth = { token: 'alive', cookie: 'alive', sibling: 'session-ended' }

const newPassword = 'another horse battery'
const hourAhead = () => new Date(Date.now() + 3_600_000)
const users = () => db.updateTable('user')
const banBySql = ({ id }: SignedIn) => users().set({ banned: true }).where('id', '=', id).execute()
const setPasswordBySql = ({ id }: SignedIn) =>
  db.updateTable('account').set({ password: 'x' }).where('user_id', '=', id).execute()

const changes: [name: string, change: (cast: Cast) => Promise<unknown>, worth: Worth][] = [
  ['A-02 a ban through /api/v1', ({ user, admin }) => v1(admin, 'POST', `/users/${user.id}/ban`), banned],
  ['A-02 a ban through Better-Auth', ({ user, admin }) => auth(admin, '/admin/ban-user', { userId: user.id }), banned],
  ['A-02 a ban through SQL', ({ user }) => banBySql(user), banned],
  [
    'A-02, A-10 a ban that ends, through /api/v1',
    ({ user, admin }) => v1(admin, 'POST', `/users/${user.id}/ban`, { expiresAt: hourAhead().toISOString() }),
    banned,
  ],
  [
    'A-02, A-10 a ban that ends, through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/ban-user', { userId: user.id, banExpiresIn: 3_600 }),
    banned,
  ],
  [
    'A-02 an unban through /api/v1',
    async ({ user, admin }) => {
      await banBySql(user)
      return v1(admin, 'DELETE', `/users/${user.id}/ban`)
    },
    ended,
  ],
  [
    'A-02 an unban through Better-Auth',
    async ({ user, admin }) => {
      await banBySql(user)
      return auth(admin, '/admin/unban-user', { userId: user.id })
    },
    ended,
  ],
  [
    'A-02 an unban through SQL',
    async ({ user }) => {
      await banBySql(user)
      await users().set({ banned: false }).where('id', '=', user.id).execute()
    },
    ended,
  ],
  ['A-01 signing out through Better-Auth', ({ user }) => auth(user, '/sign-out'), onlyThis],
  [
    'A-06 revoking the current session through /api/v1',
    ({ user }) => v1(user, 'DELETE', `/users/me/sessions/${user.sessionId}`),
    onlyThis,
  ],
  [
    'A-06 one session revoked by an admin through /api/v1',
    ({ user, admin }) => v1(admin, 'DELETE', `/users/${user.id}/sessions/${user.sessionId}`),
    onlyThis,
  ],
  [
    'A-06 one session revoked by its user through Better-Auth',
    ({ user, sibling }) => auth(sibling, '/revoke-session', { token: sessionTokenOf(user) }),
    onlyThis,
  ],
  [
    'A-06 one session revoked by an admin through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/revoke-user-session', { sessionToken: sessionTokenOf(user) }),
    onlyThis,
  ],
  [
    'A-06 one session deleted in SQL',
    ({ user }) => db.deleteFrom('session').where('id', '=', user.sessionId).execute(),
    onlyThis,
  ],
  [
    'A-07 all sessions revoked by their user through /api/v1',
    ({ user }) => v1(user, 'DELETE', '/users/me/sessions'),
    ended,
  ],
  [
    'A-07 all sessions revoked by an admin through /api/v1',
    ({ user, admin }) => v1(admin, 'DELETE', `/users/${user.id}/sessions`),
    ended,
  ],
  [
    'A-07 all other sessions revoked through /api/v1',
    ({ user }) => v1(user, 'DELETE', '/users/me/sessions?keepCurrent=true'),
    onlyOthers,
  ],
  ['A-07 all sessions revoked by their user through Better-Auth', ({ user }) => auth(user, '/revoke-sessions'), ended],
  [
    'A-07 all other sessions revoked through Better-Auth',
    ({ user }) => auth(user, '/revoke-other-sessions'),
    onlyOthers,
  ],
  [
    'A-07 all sessions revoked by an admin through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/revoke-user-sessions', { userId: user.id }),
    ended,
  ],
  [
    'A-07 all sessions deleted in SQL',
    ({ user }) => db.deleteFrom('session').where('user_id', '=', user.id).execute(),
    ended,
  ],
  ['A-03 deletion through /api/v1', ({ user, admin }) => v1(admin, 'DELETE', `/users/${user.id}`), ended],
  ['A-03 deletion of oneself through Better-Auth', ({ user }) => auth(user, '/delete-user', { password }), ended],
  [
    'A-03 deletion by an admin through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/remove-user', { userId: user.id }),
    ended,
  ],
  ['A-03 deletion in SQL', ({ user }) => db.deleteFrom('user').where('id', '=', user.id).execute(), ended],
  [
    'A-08 a change of the password through Better-Auth',
    ({ user }) => auth(user, '/change-password', { currentPassword: password, newPassword }),
    ended,
  ],
  [
    'A-08 a change of the password that asks to keep the other sessions',
    ({ user }) =>
      auth(user, '/change-password', { currentPassword: password, newPassword, revokeOtherSessions: false }),
    ended,
  ],
  ['A-08 a reset of the password through Better-Auth', ({ user }) => resetPassword(user), ended],
  ['A-08 a reset of the password on the command line', ({ user }) => setPassword(user), ended],
  ['A-08 a change of the password in SQL', ({ user }) => setPasswordBySql(user), ended],
]

test.each(changes)('%s decides what the credentials from before are worth', async (_name, change, worth) => {
  const user = await createMember()
  const cast = { user, sibling: await service.signIn(user), admin: await service.createSignedIn('admin') }
  const alive = (result: string) => (result === user.id ? 'alive' : result)
  expect(await Promise.all([whois({ token: user.token }), whois({ cookie: user.cookie })])).toEqual([user.id, user.id])

  const answer = await change(cast)

  expect(refusalIn(answer)).toBeUndefined()
  expect({
    token: alive(await whois({ token: user.token })),
    cookie: alive(await whois({ cookie: user.cookie })),
    sibling: alive(await whois({ token: cast.sibling.token })),
  }).toEqual(worth)
  expect(await sessionUser(user)).toBe(worth.cookie === 'alive' ? user.id : undefined)
  const token = await service.request('/api/auth/token', { cookie: user.cookie })
  expect(token.status).toBe(worth.cookie === 'alive' ? 200 : 401)
})

test('A-08 who changed their password goes on with the session that the change gave them', async () => {
  const user = await createMember()

  const answer = await auth(user, '/change-password', { currentPassword: password, newPassword })

  expect(await whois(await open(sessionCookieIn(answer)))).toBe(user.id)
  expect((await signInWith(user.email, password)).status).toBe(401)
  expect((await signInWith(user.email, newPassword)).status).toBe(200)
})

test.each<[string, (cast: { user: SignedIn; admin: SignedIn }) => Promise<unknown>]>([
  [
    '/api/v1',
    ({ user, admin }) => v1(admin, 'POST', `/users/${user.id}/ban`, { expiresAt: hourAhead().toISOString() }),
  ],
  ['Better-Auth', ({ user, admin }) => auth(admin, '/admin/ban-user', { userId: user.id, banExpiresIn: 3_600 })],
  ['SQL', ({ user }) => users().set({ banned: true, ban_expires: hourAhead() }).where('id', '=', user.id).execute()],
])(
  'A-10 a ban through %s that has expired lets the user sign in again, and nothing from before',
  async (_door, ban) => {
    const [user, admin] = [await createMember(), await service.createSignedIn('admin')]
    await ban({ user, admin })
    expect(await signInWith(user.email, password)).toMatchObject({ status: 403, refusal: 'BANNED_USER' })

    const past = new Date(Date.now() - 1_000)
    await users().set({ ban_expires: past }).where('id', '=', user.id).execute()

    expect(await whois({ token: user.token })).toBe('session-ended')
    const again = await signInWith(user.email, password)
    expect(again.status).toBe(200)
    expect(await whois(await open(sessionCookieIn(again)))).toBe(user.id)
    expect(await whois({ token: user.token })).toBe('session-ended')
    expect(await whois({ cookie: user.cookie })).toBe('session-ended')
  },
)

const roleDoors: [string, (admin: SignedIn, user: SignedIn, role: string) => Promise<unknown>][] = [
  ['/api/v1', (admin, { id }, role) => v1(admin, 'PUT', `/users/${id}/role`, { role })],
  ['Better-Auth', (admin, { id }, role) => auth(admin, '/admin/set-role', { userId: id, role })],
  [
    'the update of Better-Auth',
    (admin, { id }, role) => auth(admin, '/admin/update-user', { userId: id, data: { role } }),
  ],
  ['SQL', (_admin, { id }, role) => users().set({ role }).where('id', '=', id).execute()],
]

test.each(roleDoors)('A-05, A-11 a change of role through %s holds from the next request on', async (_door, change) => {
  const [user, admin] = [await service.createSignedIn(), await service.createSignedIn('admin')]
  const mayList = async () => {
    const byToken = await service.request('/api/v1/users', { token: user.token })
    const byCookie = await service.request('/api/v1/users', { cookie: user.cookie })
    const atBetterAuth = await service.request('/api/auth/admin/list-users', { cookie: user.cookie })
    return [byToken.status, byCookie.status, atBetterAuth.status]
  }
  expect(await mayList()).toEqual([403, 403, 403])

  await change(admin, user, 'admin')
  expect(await mayList()).toEqual([200, 200, 200])

  await change(admin, user, 'moderator')
  expect(await mayList()).toEqual([200, 200, 200])

  await change(admin, user, 'user')
  expect(await mayList()).toEqual([403, 403, 403])
})

async function resetPassword({ email }: SignedIn) {
  await service.request('/api/auth/request-password-reset', { json: { email } })
  const token = await vi.waitUntil(() => mailedToken(service, email))
  const response = await service.request('/api/auth/reset-password', { json: { token, newPassword } })
  expect(response.status).toBe(200)
}

async function setPassword({ id }: SignedIn) {
  await service.services.userAccounts.setPassword(id, newPassword)
}

function refusalIn(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'refusal' in answer ? answer.refusal : undefined
}
