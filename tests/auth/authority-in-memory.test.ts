import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors, sessionTokenOf } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { registerClient } from '../support/relying-party.ts'

const queriesOf = watchQueries()
const service = await startServiceForFile()
const { db, request } = service
// Until then the database is asked each time.
await vi.waitUntil(() => service.services.authority.gauges().heartbeatAge < 2_000)
const { v1, auth, createMember } = await createDoors(service)
const application = createBareClient(service, await registerClient(service))
const idle = createBareClient(service, await registerClient(service))

/** Everybody and everything with a credential; the application acts for the user. */
interface Cast {
  user: SignedIn
  sibling: SignedIn
  admin: SignedIn
  /** Of the application, bound to the session of the user. */
  bound: string
  /** Of the application, with offline access. */
  free: string
}

type Name = 'token' | 'cookie' | 'sibling' | 'bound' | 'free'
const all: Name[] = ['token', 'cookie', 'sibling', 'bound', 'free']
const ofSession: Name[] = ['token', 'cookie', 'bound']
const ofApplication: Name[] = ['bound', 'free']

async function arrange(): Promise<Cast> {
  const user = await createMember()
  // As if they had had their password for long: it ends what was issued in its second.
  await db.updateTable('user').set({ valid_after: null }).where('id', '=', user.id).execute()
  const bound = await application.tokensFor(user, { scope: 'openid account:read' })
  const free = await application.tokensFor(user)
  return {
    user,
    sibling: await service.signIn(user),
    admin: await service.createSignedIn('admin'),
    bound: bound.access_token,
    free: free.access_token,
  }
}

/** The credentials that are refused now. */
async function refusedOf({ user, sibling, bound, free }: Cast): Promise<Name[]> {
  const credentials = {
    token: { token: user.token },
    cookie: { cookie: user.cookie },
    sibling: { token: sibling.token },
    bound: { token: bound },
    free: { token: free },
  }
  const statuses = new Map<Name, number>()
  for (const name of all) statuses.set(name, (await request('/api/v1/auth/me', credentials[name])).status)
  expect([...statuses.values()].filter((status) => status !== 200 && status !== 401)).toEqual([])
  return all.filter((name) => statuses.get(name) === 401)
}

/** Waits until the credentials are accepted without a query. */
async function warm(cast: Cast): Promise<void> {
  await expect.poll(() => queriesOf(async () => expect(await refusedOf(cast)).toEqual([])), patient).toEqual([])
}

const patient = { timeout: 10_000 }
const newPassword = 'another horse battery'
const bySql = (text: (cast: Cast) => ReturnType<typeof sql>) => (cast: Cast) => text(cast).execute(db)
const banBody = () => ({ expiresAt: new Date(Date.now() + 3_600_000).toISOString() })

const changes: [name: string, change: (cast: Cast) => Promise<unknown>, refused: Name[]][] = [
  ['a ban through /api/v1', ({ user, admin }) => v1(admin, 'POST', `/users/${user.id}/ban`), all],
  ['a ban that ends', ({ user, admin }) => v1(admin, 'POST', `/users/${user.id}/ban`, banBody()), all],
  ['a ban through Better-Auth', ({ user, admin }) => auth(admin, '/admin/ban-user', { userId: user.id }), all],
  ['a ban in SQL', bySql(({ user }) => sql`update "user" set banned = true where id = ${user.id}`), all],
  ['signing out', ({ user }) => auth(user, '/sign-out'), ofSession],
  [
    'a session ended through /api/v1',
    ({ user }) => v1(user, 'DELETE', `/users/me/sessions/${user.sessionId}`),
    ofSession,
  ],
  [
    'a session revoked through Better-Auth',
    ({ user, sibling }) => auth(sibling, '/revoke-session', { token: sessionTokenOf(user) }),
    ofSession,
  ],
  [
    'a session revoked by an admin through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/revoke-user-session', { sessionToken: sessionTokenOf(user) }),
    ofSession,
  ],
  ['a session deleted in SQL', bySql(({ user }) => sql`delete from session where id = ${user.sessionId}`), ofSession],
  [
    'a session that SQL ends',
    bySql(({ user }) => sql`update session set expires_at = now() where id = ${user.sessionId}`),
    ofSession,
  ],
  [
    'other sessions revoked through Better-Auth',
    ({ user }) => auth(user, '/revoke-other-sessions'),
    ['sibling', 'free'],
  ],
  ['all sessions ended through /api/v1', ({ user }) => v1(user, 'DELETE', '/users/me/sessions'), all],
  ['all sessions revoked through Better-Auth', ({ user }) => auth(user, '/revoke-sessions'), all],
  [
    'all sessions revoked by an admin through Better-Auth',
    ({ user, admin }) => auth(admin, '/admin/revoke-user-sessions', { userId: user.id }),
    all,
  ],
  ['a new password', ({ user }) => auth(user, '/change-password', { currentPassword: password, newPassword }), all],
  [
    'a new password in SQL',
    bySql(({ user }) => sql`update account set password = 'x' where user_id = ${user.id}`),
    all,
  ],
  [
    'valid_after in SQL',
    bySql(({ user }) => sql`update "user" set valid_after = now() where id = ${user.id}`),
    ['free'],
  ],
  ['a deletion through /api/v1', ({ user, admin }) => v1(admin, 'DELETE', `/users/${user.id}`), all],
  ['a deletion of oneself', ({ user }) => auth(user, '/delete-user', { password }), all],
  ['a removal by an admin', ({ user, admin }) => auth(admin, '/admin/remove-user', { userId: user.id }), all],
  ['a deletion in SQL', bySql(({ user }) => sql`delete from "user" where id = ${user.id}`), all],
  ['an access token given back', ({ bound }) => application.revoke(bound), ['bound']],
  [
    'a grant ended through /api/v1',
    ({ user }) => v1(user, 'DELETE', `/users/me/grants/${application.id}`),
    ofApplication,
  ],
  [
    'a grant ended in SQL',
    bySql(({ user }) => sql`update oauth_grant set ended_at = now() where user_id = ${user.id}`),
    ofApplication,
  ],
  [
    'a grant deleted in SQL',
    bySql(({ user }) => sql`delete from oauth_grant where user_id = ${user.id}`),
    ofApplication,
  ],
  ['many sessions ended at once', bySql(() => sql`truncate session cascade`), ofSession.concat('sibling')],
]

test.each(changes)('%s holds for what was kept in memory, from the next request on', async (_name, change, refused) => {
  const cast = await arrange()
  await warm(cast)
  await change(cast)
  expect(await refusedOf(cast)).toEqual(all.filter((name) => refused.includes(name)))
})

test('the queries of a request are counted', async () => {
  const user = await service.createSignedIn()
  const ask = () => request('/api/v1/auth/me', { token: user.token })
  expect(await queriesOf(ask)).toHaveLength(1)
  await expect.poll(() => queriesOf(ask), patient).toEqual([])
})

test('of a cookie or a token that we did not sign the database is asked nothing', async () => {
  const user = await service.createSignedIn()
  for (const forged of [{ cookie: user.cookie.replace(/[^.]*$/, 'forged') }, { token: `${user.token}forged` }]) {
    const queries = await queriesOf(async () => expect((await request('/api/v1/auth/me', forged)).status).toBe(401))
    expect(queries).toEqual([])
  }
})

test('a machine is known without a query, until its client changes', async () => {
  const admin = await service.createSignedIn('admin')
  const values = { redirectUris: [], scopes: [], clientCredentialsScopes: ['users:read'] }
  const machine = createBareClient(service, await registerClient(service, values))
  const { id } = await service.createUser()
  const obtain = async () =>
    String((await machine.send('token', { grant_type: 'client_credentials' })).body['access_token'])
  // It is nobody, and may see others as far as its scopes go.
  const ask = async (token: string) => [
    (await request('/api/v1/auth/me', { token })).status,
    (await request(`/api/v1/users/${id}`, { token })).status,
  ]
  const warmed = async (token: string) => {
    expect(await ask(token)).toEqual([403, 200])
    await expect.poll(() => queriesOf(() => request('/api/v1/auth/me', { token })), patient).toEqual([])
  }
  const [first, second] = [await obtain(), await obtain()]
  await warmed(first)
  await v1(admin, 'PATCH', `/clients/${machine.id}`, { clientCredentialsScopes: ['users:write'] })
  expect(await ask(first)).toEqual([403, 403])
  await v1(admin, 'PATCH', `/clients/${machine.id}`, { clientCredentialsScopes: ['users:read'] })
  await warmed(first)
  await machine.revoke(first)
  expect(await ask(first)).toEqual([401, 401])
  await warmed(second)
  await sql`update oauth_client set disabled = true where client_id = ${machine.id}`.execute(db)
  expect(await ask(second)).toEqual([401, 401])
  await sql`delete from oauth_client where client_id = ${machine.id}`.execute(db)
  expect(await ask(second)).toEqual([401, 401])
})

test('the end of one application leaves another alone', async () => {
  const user = await service.createSignedIn()
  const [other, own] = [await idle.tokensFor(user), await application.tokensFor(user)]
  const ask = async () => [
    (await request('/api/v1/auth/me', { token: other.access_token })).status,
    (await request('/api/v1/auth/me', { token: own.access_token })).status,
  ]
  expect(await ask()).toEqual([200, 200])
  await sql`update oauth_client set disabled = true where client_id = ${idle.id}`.execute(db)
  expect(await ask()).toEqual([401, 200])
  await sql`delete from oauth_client where client_id = ${idle.id}`.execute(db)
  expect(await ask()).toEqual([401, 200])
})

test('the keys stay in memory while the database tells of every change', async () => {
  // Longer than they would be kept otherwise.
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(service.services.keyRows.read()).not.toBeInstanceOf(Promise)
})
