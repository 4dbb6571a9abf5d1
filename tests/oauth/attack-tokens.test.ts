import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { hashSecret } from '../../src/auth/oauth/secret.ts'
import {
  createBareClient,
  good,
  over,
  refusalOf,
  type Tokens,
  tokensIn,
  useOf as useOfTokens,
  userInfo,
} from '../support/bare-client.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor, signUp } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, request } = service
const client = createBareClient(service, await registerClient(service))
const other = createBareClient(service, await registerClient(service))

const me = async (token: string) => (await request('/api/v1/auth/me', { token })).status
const admin = await service.createSignedIn('admin')
const isActive = async (token: string) => (await client.introspect(token)).body['active']

const useOf = (tokens: Tokens) => useOfTokens(service, client, tokens)

describe('P-09 a refresh token', () => {
  test('that was used ends its family when it comes again', async () => {
    const first = await client.tokensFor(await service.createSignedIn())
    const second = tokensIn(await client.refresh(first.refresh_token))
    const third = tokensIn(await client.refresh(second.refresh_token))
    expect(await useOf(third)).toEqual(good)

    expect(refusalOf(await client.refresh(first.refresh_token))).toEqual([400, 'invalid_grant'])
    expect(await useOf(third)).toEqual(over)
    expect(refusalOf(await client.refresh(third.refresh_token))).toEqual([400, 'invalid_grant'])
  })

  test.each(['refresh_token ', ' refresh_token', 'refresh_token\n'])(
    'is not used with "%s" for the grant',
    async (type) => {
      const first = await client.tokensFor(await service.createSignedIn())
      const second = tokensIn(await client.refresh(first.refresh_token))
      const again = await client.refresh(first.refresh_token, { grant_type: type })
      expect(refusalOf(again)).toEqual([400, 'unsupported_grant_type'])
      expect(await useOf(second)).toEqual(good)
      await client.refresh(first.refresh_token)
      expect(await useOf(second)).toEqual(over)
    },
  )

  test('that was used ends those of the client on the other devices of its user, too', async () => {
    const user = await service.createSignedIn()
    const [first, elsewhere] = [await client.tokensFor(user), await client.tokensFor(user)]
    const others = await other.tokensFor(user)
    await client.refresh(first.refresh_token)
    expect(await useOf(elsewhere)).toEqual(good)

    await client.refresh(first.refresh_token)

    expect(await useOf(elsewhere)).toEqual(over)
    expect(await useOfTokens(service, other, others)).toEqual(good)
  })

  test('that was used ends nothing when who sends it is not its client', async () => {
    const first = await client.tokensFor(await service.createSignedIn())
    const second = tokensIn(await client.refresh(first.refresh_token))
    const forger = createBareClient(service, { ...client, secret: 'x'.repeat(43) })

    expect(refusalOf(await other.refresh(first.refresh_token))).toEqual([400, 'invalid_grant'])
    expect(refusalOf(await forger.refresh(first.refresh_token))).toEqual([401, 'invalid_client'])
    expect(await useOf(second)).toEqual(good)
  })

  test('that has run out ends nothing of the other devices of its user', async () => {
    const user = await service.createSignedIn()
    const [old, elsewhere] = [await client.tokensFor(user), await client.tokensFor(user)]
    await db
      .updateTable('oauth_refresh_token')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .where('token', '=', hashSecret(old.refresh_token))
      .execute()

    expect(refusalOf(await client.refresh(old.refresh_token))).toEqual([400, 'invalid_grant'])

    expect(await useOf(elsewhere)).toEqual(good)
  })

  test('is judged by itself, whatever code comes with it', async () => {
    const user = await service.createSignedIn()
    const { refresh_token } = await client.tokensFor(user)
    const { code } = await other.codeFor(createVisitor(service, user.cookie))
    expect((await client.refresh(refresh_token, { code })).status).toBe(200)
  })

  test('is for its client alone', async () => {
    const { refresh_token } = await client.tokensFor(await service.createSignedIn())
    expect(refusalOf(await other.refresh(refresh_token))).toEqual([400, 'invalid_grant'])
    expect((await client.refresh(refresh_token)).status).toBe(200)
  })

  test('lives for 90 days after the first of its family at most', async () => {
    const { refresh_token } = await client.tokensFor(await service.createSignedIn())
    const started = new Date(Date.now() - 89.5 * 86_400_000)
    await db.updateTable('oauth_refresh_token').set({ family_started_at: started }).execute()
    const next = tokensIn(await client.refresh(refresh_token))
    const { exp } = (await client.introspect(next.refresh_token)).body as { exp: number }
    expect(exp).toBeLessThanOrEqual(Date.now() / 1_000 + 43_200)
  })
})

describe('P-11 scopes', () => {
  test('are not widened by a refresh', async () => {
    const { refresh_token } = await client.tokensFor(await service.createSignedIn())
    const more = await client.refresh(refresh_token, { scope: 'openid account:write' })
    expect(refusalOf(more)).toEqual([400, 'invalid_scope'])
    const less = await client.refresh(refresh_token, { scope: 'openid account:read' })
    expect(less.body['scope']).toBe('openid account:read')
  })

  test('are not widened with a code', async () => {
    const code = await client.codeFor(createVisitor(service, (await service.createSignedIn()).cookie))
    const { body } = await client.redeem(code, { scope: 'openid account:write' })
    expect(body['scope']).toBe('openid email account:read offline_access')
  })

  test('are not those that the client was not registered for', async () => {
    const { path } = client.begin({ scope: 'openid users:ban' })
    const visitor = createVisitor(service, (await service.createSignedIn('admin')).cookie)
    expect(new URL((await visitor.open(path)).at).searchParams.get('error')).toBe('invalid_scope')
  })

  test('of a machine are its own', async () => {
    const machine = createBareClient(
      service,
      await registerClient(service, { clientCredentialsScopes: ['users:read'] }),
    )
    const ask = (scope?: string) => machine.send('token', { grant_type: 'client_credentials', scope })
    expect((await ask()).body['scope']).toBe('users:read')
    for (const scope of ['users:write', 'openid', 'account:read']) {
      expect(refusalOf(await ask(scope))).toEqual([400, 'invalid_scope'])
    }
  })

  test('no longer count once the client has lost them', async () => {
    const app = createBareClient(service, await registerClient(service))
    const { access_token } = await app.tokensFor(admin, { scope: 'openid account:read users:read' })
    expect((await request('/api/v1/users', { token: access_token })).status).toBe(200)
    const json = { scopes: ['openid', 'account:read'] }
    await request(`/api/v1/clients/${app.id}`, { method: 'PATCH', token: admin.token, json })
    expect((await request('/api/v1/users', { token: access_token })).status).toBe(403)
    expect((await app.introspect(access_token)).body['scope']).toBe('openid account:read')
  })
})

describe('P-21 what a client holds for somebody', () => {
  const act = (path: string, method: string, json?: object) =>
    request(`/api/v1/users/${path}`, { method, token: admin.token, ...(json && { json }) })

  const ends: [string, (user: SignedIn) => Promise<unknown>][] = [
    ['is banned', ({ id }) => act(`${id}/ban`, 'POST', {})],
    ['is deleted', ({ id }) => act(id, 'DELETE')],
    ['lost the grant', ({ id }) => act(`${id}/grants/${client.id}`, 'DELETE')],
  ]

  test.each(ends)('ends when their user %s', async (_, end) => {
    const user = await service.createSignedIn()
    const bystander = await client.tokensFor(await service.createSignedIn())
    const tokens = await client.tokensFor(user)
    const opaque = await client.tokensFor(user, { scope: 'openid' })
    const code = await client.codeFor(createVisitor(service, user.cookie))
    expect(await useOf(tokens)).toEqual(good)

    expect(await end(user)).toMatchObject({ ok: true })

    expect(await useOf(tokens)).toEqual(over)
    expect((await userInfo(service, opaque.access_token)).status).toBe(401)
    expect(refusalOf(await client.refresh(tokens.refresh_token))).toEqual([400, 'invalid_grant'])
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
    expect(await useOf(bystander)).toEqual(good)
  })

  test('ends when their user resets the password', async () => {
    const { visitor, email } = await signUp(service)
    const session = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const code = await client.codeFor(createVisitor(service, session))
    const tokens = tokensIn(await client.redeem(await client.codeFor(createVisitor(service, session))))
    expect(await useOf(tokens)).toEqual(good)

    const post = (path: string, json: object) =>
      request(`/api/auth/${path}`, { json, headers: { origin: service.baseUrl } })
    await post('request-password-reset', { email })
    const token = mailedToken(service, email)
    expect((await post('reset-password', { token, newPassword: 'another password' })).status).toBe(200)

    expect(await useOf(tokens)).toEqual(over)
    expect(refusalOf(await client.refresh(tokens.refresh_token))).toEqual([400, 'invalid_grant'])
    expect(refusalOf(await client.redeem(code))).toEqual([400, 'invalid_grant'])
    const again = createVisitor(service)
    await again.submit('/sign-in', { email, password })
    expect(again.cookies.size).toBe(0)
  })

  test('does no more than they may, once they are demoted', async () => {
    const user = await service.createSignedIn('admin')
    const { access_token, refresh_token } = await client.tokensFor(user, {
      scope: 'openid offline_access account:read users:read',
    })
    const users = async (token: string) => (await request('/api/v1/users', { token })).status
    expect(await users(access_token)).toBe(200)

    await act(`${user.id}/role`, 'PUT', { role: 'user' })

    expect([await users(access_token), await me(access_token)]).toEqual([403, 200])
    expect((await client.introspect(access_token)).body['scope']).toBe('openid offline_access account:read')
    expect((await userInfo(service, access_token)).status).toBe(200)
    const next = tokensIn(await client.refresh(refresh_token))
    expect([await users(next.access_token), await me(next.access_token)]).toEqual([403, 200])
  })

  test('outlives their session by a grant of offline access alone', async () => {
    const user = await service.createSignedIn()
    const offline = await client.tokensFor(user)
    const bound = await client.tokensFor(user, { scope: 'openid account:read' })
    expect([await me(offline.access_token), await me(bound.access_token)]).toEqual([200, 200])
    const { refresh_token, id_token } = tokensIn(await client.refresh(offline.refresh_token))
    expect(decodeJwt(id_token)['sid']).toBe(user.sessionId)
    offline.refresh_token = refresh_token

    await request('/api/auth/sign-out', { cookie: user.cookie, json: {} })

    expect([await me(offline.access_token), await me(bound.access_token)]).toEqual([200, 401])
    expect([await isActive(offline.access_token), await isActive(bound.access_token)]).toEqual([true, false])
    expect((await userInfo(service, offline.access_token)).status).toBe(200)
    expect((await userInfo(service, bound.access_token)).status).toBe(401)
    const next = tokensIn(await client.refresh(offline.refresh_token))
    expect(await useOf(next)).toEqual(good)
    for (const token of [next.access_token, next.id_token]) expect(decodeJwt(token)).not.toHaveProperty('sid')
  })
  test('outlives a session that has run out, with fewer scopes, too', async () => {
    const user = await service.createSignedIn()
    const first = await client.tokensFor(user)
    const lastDay = new Date(Date.now() - 86_400_000)
    await db.updateTable('session').set({ expires_at: lastDay }).where('id', '=', user.sessionId).execute()
    expect((await userInfo(service, first.access_token)).status).toBe(200)

    const next = tokensIn(await client.refresh(first.refresh_token))
    expect(await useOf(next)).toEqual(good)
    const narrow = tokensIn(await client.refresh(next.refresh_token, { scope: 'openid account:read' }))
    expect(await useOf(narrow)).toEqual(good)
    for (const token of [narrow.access_token, narrow.id_token]) expect(decodeJwt(token)).not.toHaveProperty('sid')
  })
})
