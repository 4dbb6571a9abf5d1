import { createHash } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  basic,
  createBareClient,
  good,
  over,
  refusalOf,
  type Tokens,
  tokensIn,
  useOf as useOfTokens,
  userInfo,
} from '../support/bare-client.ts'
import { onPostgres } from '../support/database-template.ts'
import { startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { nowSeconds, signed, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile()
const { request } = service
const client = createBareClient(service, await registerClient(service))
const other = createBareClient(service, await registerClient(service))
const user = await service.createSignedIn()
const { access_token, refresh_token, id_token } = await client.tokensFor(user)

const me = async (token: string) => (await request('/api/v1/auth/me', { token })).status
const isActive = async (token: string) => (await client.introspect(token)).body['active']
const useOf = (tokens: Tokens) => useOfTokens(service, client, tokens)

describe('P-22 introspection and revocation', () => {
  test.each(['introspect', 'revoke'])('%s: asks who the client is', async (endpoint) => {
    for (const reply of [
      await client.send(endpoint, { token: access_token }, { auth: 'none' }),
      await client.send(endpoint, { token: access_token }, { headers: { authorization: basic(client.id, 'wrong') } }),
      await client.send(endpoint, { token: access_token, client_id: client.id, client_secret: 'x' }, { auth: 'none' }),
    ]) {
      expect(refusalOf(reply)).toEqual([401, 'invalid_client'])
      expect(reply.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
    }
    expect(await me(access_token)).toBe(200)
  })

  test('others are told nothing, and end nothing', async () => {
    for (const token of [access_token, refresh_token]) {
      expect((await other.introspect(token)).body).toEqual({ active: false })
      expect((await other.revoke(token)).status).toBe(200)
      expect(await isActive(token)).toBe(true)
    }
  })

  test('of what is no token nothing is told, and there is nothing to end', async () => {
    const { privateKey } = await generateKeyPair('RS256')
    const forged = await new SignJWT({ azp: client.id, client_id: client.id })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'none' })
      .setIssuer(`${service.baseUrl}/api/auth`)
      .setExpirationTime('1h')
      .sign(privateKey)
    for (const token of ['x'.repeat(32), forged, 'a.b.c', `${access_token}x`, 'Bearer x', '{}']) {
      expect([token, (await client.introspect(token)).body]).toEqual([token, { active: false }])
      expect([token, (await client.revoke(token)).status]).toEqual([token, 200])
    }
    expect(refusalOf(await client.introspect(''))).toEqual([400, 'invalid_request'])
    expect(refusalOf(await client.revoke(''))).toEqual([400, 'invalid_request'])
  })

  test('a hint that is wrong does not hide a token', async () => {
    const tokens = await client.tokensFor(await service.createSignedIn())
    const hinted = (endpoint: string, token: string, hint: string) =>
      client.send(endpoint, { token, token_type_hint: hint })
    expect((await hinted('introspect', tokens.refresh_token, 'access_token')).body['active']).toBe(true)
    expect((await hinted('introspect', tokens.access_token, 'refresh_token')).body['active']).toBe(true)
    expect((await hinted('revoke', tokens.refresh_token, 'access_token')).status).toBe(200)
    expect(await useOf(tokens)).toEqual(over)
  })

  test('an access token is revoked alone', async () => {
    const tokens = await client.tokensFor(await service.createSignedIn())
    expect((await client.revoke(tokens.access_token)).status).toBe(200)
    expect(await useOf(tokens)).toEqual({ ...over, refresh: true })
    expect((await client.refresh(tokens.refresh_token)).status).toBe(200)
  })

  test('with a refresh token go the access tokens', async () => {
    const tokens = await client.tokensFor(await service.createSignedIn())
    expect((await client.revoke(tokens.refresh_token)).status).toBe(200)
    expect(await useOf(tokens)).toEqual(over)
    expect((await client.revoke(tokens.refresh_token)).status).toBe(200)
  })

  test('an introspection tells what the token is', async () => {
    const user = await service.createSignedIn()
    const { access_token: token } = await client.tokensFor(user)
    const { body } = await client.introspect(token)
    expect(body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      iss: `${service.baseUrl}/api/auth`,
      sub: user.id,
      client_id: client.id,
      scope: 'openid email account:read offline_access',
    })
  })
})

describe('P-22 a refresh token that is given back', () => {
  test('takes the access tokens of its whole family along, which only tell who it is, too', async () => {
    const user = await service.createSignedIn()
    const first = await client.tokensFor(user, { scope: 'openid offline_access' })
    const second = tokensIn(await client.refresh(first.refresh_token))
    const isGood = async (token: string) => [(await userInfo(service, token)).status, await isActive(token)]
    expect([await isGood(first.access_token), await isGood(second.access_token)]).toEqual([
      [200, true],
      [200, true],
    ])

    await client.revoke(second.refresh_token)

    expect([await isGood(first.access_token), await isGood(second.access_token)]).toEqual([
      [401, false],
      [401, false],
    ])
  })

  test('is one as it was given, not one with a blank in it', async () => {
    const tokens = await client.tokensFor(await service.createSignedIn())
    for (const token of [`Bearer ${tokens.refresh_token}`, `${tokens.refresh_token} `]) {
      expect((await client.revoke(token)).status).toBe(200)
      expect(await isActive(token)).toBe(false)
    }
    expect(await useOf(tokens)).toEqual(good)
  })
})

describe('P-23 the userinfo endpoint', () => {
  test('answers to an access token alone', async () => {
    expect(await userInfo(service, access_token)).toMatchObject({ status: 200, body: { sub: user.id } })
    const [key, claims] = [await signingKeyOf(service), decodeJwt(access_token)]
    const again = (change: object) => signed(key, { ...claims, ...change }, { typ: 'at+jwt' })
    expect((await userInfo(service, again({}))).status).toBe(200)
    const expired = again({ exp: nowSeconds() - 60, iat: nowSeconds() - 660 })
    for (const token of [id_token, user.token, refresh_token, expired, 'x'.repeat(32), `${access_token}x`]) {
      const reply = await userInfo(service, token)
      expect([token, ...refusalOf(reply)]).toEqual([token, 401, 'invalid_token'])
      expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
    }
  })

  test('tells of who signed in what its scopes are for, and no more', async () => {
    const ada = await service.createSignedIn()
    const image = 'https://example.com/ada.png'
    await service.db.updateTable('user').set({ name: 'Ada King Lovelace', image }).where('id', '=', ada.id).execute()
    const told = async (scope: string) => {
      const tokens = await client.tokensFor(ada, { scope: `${scope} account:read` })
      return (await userInfo(service, tokens.access_token)).body
    }
    const names = { name: 'Ada King Lovelace', given_name: 'Ada King', family_name: 'Lovelace' }

    expect(await told('openid')).toEqual({ sub: ada.id })
    expect(await told('openid profile')).toEqual({ sub: ada.id, picture: image, ...names })
    expect(await told('openid email')).toEqual({ sub: ada.id, email: ada.email, email_verified: true })
    await service.db.updateTable('user').set({ name: 'Ada', image: null }).where('id', '=', ada.id).execute()
    expect(await told('openid profile')).toEqual({ sub: ada.id, name: 'Ada' })
  })

  test('asks for a token where there is none, and takes none from the address', async () => {
    for (const query of ['', `?access_token=${access_token}`]) {
      const response = await request(`/api/auth/oauth2/userinfo${query}`)
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    }
  })

  test.skipIf(!onPostgres)('judges a token by the clock of the database (needs TEST_DATABASE_URL)', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    expect(await me(access_token)).toBe(200)
    expect(await userInfo(service, access_token)).toMatchObject({ status: 200, body: { sub: user.id } })
  })

  test('takes no token by another scheme', async () => {
    for (const scheme of ['Basic', 'DPoP', 'Token']) {
      const headers = { authorization: `${scheme} ${access_token}` }
      expect([scheme, (await request('/api/auth/oauth2/userinfo', { headers })).status]).toEqual([scheme, 401])
    }
  })

  test('takes one token a request', async () => {
    const reply = await client.send(
      'userinfo',
      { access_token },
      { headers: { authorization: `Bearer ${access_token}` } },
    )
    expect(refusalOf(reply)).toEqual([400, 'invalid_request'])
  })

  test('wants the scope openid', async () => {
    const tokens = await client.tokensFor(user, { scope: 'account:read' })
    const reply = await userInfo(service, tokens.access_token)
    expect(reply.status).toBe(403)
    expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer error="insufficient_scope"/)
  })
})

describe('P-25 a token of one kind is none of another', () => {
  test('an access token is no session at /api/auth', async () => {
    const session = async (token: string) => {
      const response = await request('/api/auth/get-session', { token })
      return (await response.json()) as unknown
    }
    expect(await session(access_token)).toBeNull()
    expect((await request('/api/auth/list-sessions', { token: access_token })).status).toBe(401)
    expect((await request('/api/auth/token', { token: access_token })).status).toBe(401)
    expect(
      (await request('/api/auth/get-session', { cookie: user.cookie }).then((r) => r.json())) as unknown,
    ).toMatchObject({ user: { id: user.id } })
  })

  test('an ID token and a refresh token open nothing at /api/v1', async () => {
    expect([await me(access_token), await me(id_token), await me(refresh_token)]).toEqual([200, 401, 401])
  })

  test('a session JWT is not one of a client', async () => {
    expect((await client.introspect(user.token)).body).toEqual({ active: false })
    expect((await client.revoke(user.token)).status).toBe(200)
    expect(await me(user.token)).toBe(200)
  })
})

test('P-27 an ID token says for whom, by whom and when', async () => {
  const nonce = 'a nonce of the client'
  const tokens = await client.tokensFor(user, { nonce })
  const keys = createRemoteJWKSet(new URL(`${service.url}/api/auth/jwks`))

  const { payload, protectedHeader } = await jwtVerify(tokens.id_token, keys, {
    issuer: `${service.baseUrl}/api/auth`,
    audience: client.id,
  })

  expect(protectedHeader).toMatchObject({ alg: 'RS256', kid: expect.any(String) as string })
  const { created_at } = await service.db
    .selectFrom('session')
    .select('created_at')
    .where('id', '=', user.sessionId)
    .executeTakeFirstOrThrow()
  expect(payload).toMatchObject({
    sub: user.id,
    nonce,
    aud: client.id,
    sid: user.sessionId,
    auth_time: Math.floor(created_at.getTime() / 1_000),
  })
  const { iat = 0, exp = 0 } = payload
  expect(exp - iat).toBeLessThanOrEqual(3_600)
  const half = createHash('sha256').update(tokens.access_token).digest().subarray(0, 16)
  expect(payload['at_hash']).toBe(half.toString('base64url'))
  // The same for every client, and not one that can be turned into another token.
  expect(decodeJwt(tokens.access_token).sub).toBe(user.id)
  expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt')
  expect(protectedHeader.typ).not.toBe('at+jwt')
})
