import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { allow, beginSignIn, createRelyingParty, redeem, registerClient, tokensFor } from '../support/relying-party.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const party = await createRelyingParty(service, await registerClient(service))
const offline = 'openid account:read offline_access'

const statusOf = async (token: string) => (await service.request('/api/v1/auth/me', { token })).status
const grantsOf = (cookie: string, id = 'me', options: object = {}) =>
  service.request(`/api/v1/users/${id}/grants`, { cookie, ...options })

test('a user sees what applications may do, and ends it at once', async () => {
  const user = await service.createSignedIn()
  const tokens = await tokensFor(service, party, user, offline)
  expect(await (await grantsOf(user.cookie)).json()).toMatchObject({
    data: [{ clientId: party.id, name: 'Weather', firstParty: false, scopes: offline.split(' ') }],
  })

  const ended = await service.request(`/api/v1/users/me/grants/${party.id}`, { cookie: user.cookie, method: 'DELETE' })

  expect(ended.status).toBe(204)
  expect(await statusOf(tokens.access_token)).toBe(401)
  await expect(client.refreshTokenGrant(party.config, tokens.refresh_token ?? '')).rejects.toMatchObject({
    error: 'invalid_grant',
  })
  expect(await (await grantsOf(user.cookie)).json()).toEqual({ data: [] })
  const again = await service.request(`/api/v1/users/me/grants/${party.id}`, { cookie: user.cookie, method: 'DELETE' })
  expect(again.status).toBe(404)
})

test('what was ended asks again, and what was issued before it stays dead', async () => {
  const user = await service.createSignedIn()
  const visitor = createVisitor(service, user.cookie)
  const { access_token: old } = await tokensFor(service, party, user, offline)
  await service.request(`/api/v1/users/me/grants/${party.id}`, { cookie: user.cookie, method: 'DELETE' })

  const request = await beginSignIn(party, offline)
  expect((await visitor.open(`${request.url.pathname}${request.url.search}`)).at).toMatch(/^\/consent\?/)
  await redeem(party, await allow(visitor, request), request)

  expect(await statusOf(old)).toBe(401)
})

test.each([
  ['dies with those that ended in its very second', 0, 401],
  ['dies with those that ended at the end of that second', 999, 401],
  ['outlives those that ended in the second before', -1, 200],
])('a token %s', async (_what, ms, status) => {
  const user = await service.createSignedIn()
  const { access_token: token } = await tokensFor(service, party, user, offline)
  const { iat = 0 } = decodeJwt(token)

  await service.db
    .updateTable('oauth_grant')
    .set({ valid_after: new Date(iat * 1_000 + ms) })
    .where('user_id', '=', user.id)
    .execute()

  expect(await statusOf(token)).toBe(status)
})

test('a code that is under way ends with the grant', async () => {
  const user = await service.createSignedIn()
  await tokensFor(service, party, user, offline)
  const request = await beginSignIn(party, offline)
  const callback = await allow(createVisitor(service, user.cookie), request)

  await service.request(`/api/v1/users/me/grants/${party.id}`, { cookie: user.cookie, method: 'DELETE' })

  await expect(redeem(party, callback, request)).rejects.toMatchObject({ error: 'invalid_grant' })
})

test('an admin sees and ends the grants of somebody else, who cannot do the same', async () => {
  const [admin, ada, bob] = [
    await service.createSignedIn('admin'),
    await service.createSignedIn(),
    await service.createSignedIn(),
  ]
  const { access_token: token } = await tokensFor(service, party, ada)
  const end = (cookie: string) =>
    service.request(`/api/v1/users/${ada.id}/grants/${party.id}`, { cookie, method: 'DELETE' })

  expect((await grantsOf(bob.cookie, ada.id)).status).toBe(403)
  expect((await end(bob.cookie)).status).toBe(403)
  expect(await statusOf(token)).toBe(200)
  expect(await (await grantsOf(admin.cookie, ada.id)).json()).toMatchObject({ data: [{ clientId: party.id }] })
  expect((await end(admin.cookie)).status).toBe(204)
  expect(await statusOf(token)).toBe(401)
  expect((await grantsOf(admin.cookie, 'nobody')).status).toBe(404)
})

test('a token without offline access ends with the session in which it was given, one with it does not', async () => {
  const user = await service.createSignedIn()
  const [bound, free] = [await tokensFor(service, party, user), await tokensFor(service, party, user, offline)]

  await service.request('/api/auth/sign-out', { cookie: user.cookie, json: {} })

  expect([await statusOf(bound.access_token), await statusOf(free.access_token)]).toEqual([401, 200])
  const renewed = await client.refreshTokenGrant(party.config, free.refresh_token ?? '')
  expect(await statusOf(renewed.access_token)).toBe(200)
})

test('all sessions take the access tokens along that have none, too', async () => {
  const user = await service.createSignedIn()
  // Without a resource it is opaque, which needs a row to be good.
  const opaque = await tokensFor(service, party, user, 'openid offline_access')
  const userInfo = async () =>
    (await service.request('/api/auth/oauth2/userinfo', { token: opaque.access_token })).status
  await service.db.deleteFrom('session').where('id', '=', user.sessionId).execute()
  expect(await userInfo()).toBe(200)

  const { token } = await service.signIn(user)
  await service.request('/api/v1/users/me/sessions', { method: 'DELETE', token })

  expect(await userInfo()).toBe(401)
})

test('a refresh token ends 90 days after the first of its family, however often it is used', async () => {
  const user = await service.createSignedIn()
  const first = await tokensFor(service, party, user, offline)
  await service.db
    .updateTable('oauth_refresh_token')
    .set({ family_started_at: new Date(Date.now() - 89 * 86_400_000) })
    .where('user_id', '=', user.id)
    .execute()

  await client.refreshTokenGrant(party.config, first.refresh_token ?? '')

  const { expires_at } = await service.db
    .selectFrom('oauth_refresh_token')
    .select('expires_at')
    .where('user_id', '=', user.id)
    .where('revoked', 'is', null)
    .executeTakeFirstOrThrow()
  expect(expires_at.getTime()).toBeLessThan(Date.now() + 86_400_000)
})

test('the account page shows connected applications, and disconnects them', async () => {
  const user = await service.createSignedIn()
  const { access_token: token } = await tokensFor(service, party, user)
  const visitor = createVisitor(service, user.cookie)
  const page = textOf(await visitor.open('/account'))
  expect(page).toContain('Connected applications')
  expect(page).toContain('Weather')
  expect(page).toContain('see your e-mail address')

  const after = await visitor.submit('/account/disconnect', { clientId: party.id })

  expect(textOf(after)).toContain('It is not connected to your account any more.')
  expect(textOf(after)).not.toContain('Weather')
  expect(await statusOf(token)).toBe(401)
})

test('who acts as somebody else lets no application take them for that person', async () => {
  const [admin, user] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const response = await service.request('/api/auth/admin/impersonate-user', {
    cookie: admin.cookie,
    json: { userId: user.id },
  })
  const visitor = createVisitor(service)
  for (const cookie of response.headers.getSetCookie()) {
    const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split(/=(.*)/s)
    visitor.cookies.set(name, value)
  }
  const request = await beginSignIn(party)

  const consent = await visitor.open(`${request.url.pathname}${request.url.search}`)
  expect(textOf(consent)).toContain('You act as somebody else')
  const query = consent.at.slice(consent.at.indexOf('?') + 1)
  const sent = await visitor.submit('/consent', { oauth_query: query, user: user.id, decision: 'allow' })
  expect(sent.status).toBe(403)
  const consents = await service.db.selectFrom('oauth_consent').where('user_id', '=', user.id).selectAll().execute()
  expect(consents).toEqual([])
})

test('who asks for fewer scopes once stays connected, and may ask for all again', async () => {
  const user = await service.createSignedIn()
  const first = await tokensFor(service, party, user, offline)
  await service.request('/api/auth/sign-out', { cookie: user.cookie, json: {} })

  const scope = { scope: 'account:read' }
  const narrow = await client.refreshTokenGrant(party.config, first.refresh_token ?? '', scope)
  expect([await statusOf(narrow.access_token), narrow.scope]).toEqual([200, 'account:read'])
  const wide = await client.refreshTokenGrant(party.config, narrow.refresh_token ?? '')
  expect([await statusOf(wide.access_token), wide.scope]).toEqual([200, offline])
})

test('an application ends no grant but its own', async () => {
  const user = await service.createSignedIn()
  const other = await createRelyingParty(service, await registerClient(service))
  await tokensFor(service, other, user)
  const { access_token: token } = await tokensFor(service, party, user, 'openid account:write')
  const end = async ({ id }: { id: string }) =>
    (await service.request(`/api/v1/users/me/grants/${id}`, { token, method: 'DELETE' })).status

  expect([await end(other), await end(party)]).toEqual([403, 204])
})

test('but by who may end the sessions of anybody', async () => {
  const admin = await service.createSignedIn('admin')
  const other = await createRelyingParty(service, await registerClient(service))
  await tokensFor(service, other, admin)
  const scopes = ['openid', 'account:write', 'sessions:revoke']
  const tool = await createRelyingParty(service, await registerClient(service, { scopes }))
  const { access_token: token } = await tokensFor(service, tool, admin, scopes.join(' '))

  const ended = await service.request(`/api/v1/users/me/grants/${other.id}`, { token, method: 'DELETE' })

  expect(ended.status).toBe(204)
})

test('what a user has allowed is theirs to see and to end before the application has made anything of it', async () => {
  const user = await service.createSignedIn()
  const visitor = createVisitor(service, user.cookie)
  const grantOf = async () => (await grantsOf(user.cookie)).json()
  const request = await beginSignIn(party, offline)
  const callback = await allow(visitor, request)
  const granted = { data: [{ clientId: party.id, name: 'Weather', scopes: offline.split(' ') }] }
  expect(await grantOf()).toMatchObject(granted)
  expect(textOf(await visitor.open('/account'))).toContain('Weather')

  const end = () => service.request(`/api/v1/users/me/grants/${party.id}`, { cookie: user.cookie, method: 'DELETE' })
  expect((await end()).status).toBe(204)

  expect(await grantOf()).toEqual({ data: [] })
  expect((await end()).status).toBe(404)
  await expect(redeem(party, callback, request)).rejects.toMatchObject({ error: 'invalid_grant' })
  const again = await beginSignIn(party, offline)
  expect((await visitor.open(`${again.url.pathname}${again.url.search}`)).at).toMatch(/^\/consent\?/)
  // Once it is exchanged it is one grant, and after the end of that one it is listed again as soon as it is allowed.
  await redeem(party, await allow(visitor, again), again)
  expect(await grantOf()).toMatchObject(granted)
  await end()
  await allow(visitor, await beginSignIn(party, offline))
  expect(await grantOf()).toMatchObject(granted)
})

test('an application sees no grant but its own, unless it may read users', async () => {
  const user = await service.createSignedIn('admin')
  const other = await createRelyingParty(service, await registerClient(service))
  await tokensFor(service, other, user)
  const seen = async (scope: string) => {
    const { access_token: token } = await tokensFor(service, party, user, scope)
    const response = await service.request('/api/v1/users/me/grants', { token })
    return ((await response.json()) as { data: { clientId: string }[] }).data.map(({ clientId }) => clientId).sort()
  }
  expect(await seen('openid account:read')).toEqual([party.id])
  expect(await seen('openid account:read users:read')).toEqual([other.id, party.id].sort())
})
