import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { createBareClient, type Fields, refusalOf, tokensIn, userInfo } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { decide, redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'
import { invalidAt, problemOf } from '../support/wire.ts'

// Named after the modules of the OpenID Foundation's plan "Basic OP", which they follow: once with the secret in the
// header, once in the body. Every request has a proof key, which the service demands of all clients.

const service = await startServiceForFile()
const issuer = `${service.baseUrl}/api/auth`
const keys = createRemoteJWKSet(new URL(`${service.url}/api/auth/jwks`))
const user = await service.createSignedIn()
const visitor = createVisitor(service, user.cookie)

describe.each(['client_secret_basic', 'client_secret_post'] as const)('oidcc-basic with %s', (method) => {
  const auth = method === 'client_secret_basic' ? 'basic' : 'post'
  const registering = registerClient(service, {
    tokenEndpointAuthMethod: method,
    scopes: ['openid', 'profile', 'email', 'offline_access', 'account:read'],
  })
  const clientOf = async () => createBareClient(service, await registering)

  /** The tokens of a request, and the claims of the ID token that came with them. */
  async function exchange(more: Fields = {}) {
    const client = await clientOf()
    const tokens = tokensIn(await client.redeem(await client.codeFor(visitor, more), {}, { auth }))
    return { client, ...tokens, claims: decodeJwt(tokens.id_token) }
  }

  test('oidcc-server', async () => {
    const client = await clientOf()
    const { path, verifier } = client.begin({ state: 'a state', nonce: 'a nonce' })
    let sight = await visitor.open(path)
    if (sight.at.startsWith('/consent')) sight = await decide(visitor, sight, 'allow')
    const { origin, pathname, searchParams } = new URL(sight.at)
    expect([`${origin}${pathname}`, searchParams.get('state'), searchParams.get('iss')]).toEqual([
      redirectUri,
      'a state',
      issuer,
    ])
    const reply = await client.redeem({ code: searchParams.get('code') ?? '', verifier }, {}, { auth })
    expect(reply).toMatchObject({
      status: 200,
      body: { token_type: 'Bearer', scope: 'openid email account:read offline_access' },
    })
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.body['expires_in']).toBeGreaterThan(0)
    expect(decodeJwt(tokensIn(reply).id_token)).toMatchObject({
      iss: issuer,
      aud: client.id,
      sub: user.id,
      nonce: 'a nonce',
    })
  })

  test('oidcc-idtoken-signature', async () => {
    const { client, id_token } = await exchange()
    const { protectedHeader } = await jwtVerify(id_token, keys, { issuer, audience: client.id })
    expect(protectedHeader.alg).toBe('RS256')
    const [head, payload, signature = ''] = id_token.split('.')
    const forged = [head, payload, signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`]
    await expect(jwtVerify(forged.join('.'), keys)).rejects.toThrow('signature')
  })

  test('oidcc-idtoken-unsigned, which is not offered', async () => {
    const discovered = (await (await service.request('/api/auth/.well-known/openid-configuration')).json()) as object
    expect(discovered).toMatchObject({ id_token_signing_alg_values_supported: expect.not.arrayContaining(['none']) })
    const unsigned = { id_token_signed_response_alg: 'none' }
    // Whoever asks for it at registration is told so, and whoever asks for it in a request gets what all others get.
    const { token } = await service.createSignedIn('admin')
    const register = (more: object) =>
      service.request('/api/v1/clients', { token, json: { name: 'Any', redirectUris: [redirectUri], ...more } })
    expect((await register({})).status).toBe(201)
    expect(await problemOf(await register(unsigned))).toEqual(invalidAt('/id_token_signed_response_alg'))
    const { client, id_token } = await exchange(unsigned)
    expect([decodeProtectedHeader(id_token).alg, id_token.split('.')[2]?.length]).toEqual(['RS256', 342])
    await jwtVerify(id_token, keys, { issuer, audience: client.id })
  })

  test('oidcc-ensure-other-scope-order-succeeds', async () => {
    const { access_token } = await exchange({ scope: 'email openid' })
    expect((await userInfo(service, access_token)).body).toMatchObject({ sub: user.id, email: user.email })
  })

  test('oidcc-userinfo-get', async () => {
    const { access_token } = await exchange()
    const { status, body, headers } = await userInfo(service, access_token)
    expect([status, body['sub']]).toEqual([200, user.id])
    expect(headers.get('content-type')).toMatch(/^application\/json/)
  })

  test('oidcc-userinfo-post-header', async () => {
    const { client, access_token } = await exchange()
    const reply = await client.send(
      'userinfo',
      {},
      { auth: 'none', headers: { authorization: `Bearer ${access_token}` } },
    )
    expect(reply).toMatchObject({ status: 200, body: { sub: user.id } })
  })

  test('oidcc-userinfo-post-body', async () => {
    const { client, access_token } = await exchange()
    expect(await client.send('userinfo', { access_token }, { auth: 'none' })).toMatchObject({
      status: 200,
      body: { sub: user.id },
    })
  })

  const profile = { name: 'Test User', given_name: 'Test', family_name: 'User' }
  const email = { email: user.email, email_verified: true }

  test.each<[string, string, object, string[]]>([
    ['oidcc-scope-profile', 'openid profile', profile, ['email']],
    ['oidcc-scope-email', 'openid email', email, ['name']],
    ['oidcc-scope-all, of those that there are', 'openid profile email', { ...profile, ...email }, []],
  ])('%s', async (_, scope, given, withheld) => {
    const { claims, access_token } = await exchange({ scope })
    const { body } = await userInfo(service, access_token)
    expect(body).toMatchObject({ sub: user.id, ...given })
    for (const name of withheld) expect(body).not.toHaveProperty(name)
    expect(claims).not.toHaveProperty('email')
  })

  test.each(['address', 'phone'])('oidcc-scope-%s, which is not offered', async (name) => {
    const client = await clientOf()
    const { at } = await visitor.open(client.begin({ scope: `openid ${name}` }).path)
    expect(new URL(at).searchParams.get('error')).toBe('invalid_scope')
  })

  test('oidcc-codereuse', async () => {
    const client = await clientOf()
    const code = await client.codeFor(visitor)
    const { access_token } = tokensIn(await client.redeem(code, {}, { auth }))
    expect((await userInfo(service, access_token)).status).toBe(200)
    expect(refusalOf(await client.redeem(code, {}, { auth }))).toEqual([400, 'invalid_grant'])
    expect((await userInfo(service, access_token)).status).toBe(401)
  })

  test('oidcc-codereuse-30seconds', async () => {
    const person = await service.createSignedIn()
    const client = await clientOf()
    const code = await client.codeFor(createVisitor(service, person.cookie))
    const { access_token } = tokensIn(await client.redeem(code, {}, { auth }))
    const earlier = new Date(Date.now() - 31_000)
    await service.db.updateTable('oauth_redeemed_code').set({ redeemed_at: earlier }).execute()
    expect((await userInfo(service, access_token)).status).toBe(200)
    expect(refusalOf(await client.redeem(code, {}, { auth }))).toEqual([400, 'invalid_grant'])
    expect((await userInfo(service, access_token)).status).toBe(401)
  })

  test('oidcc-refresh-token', async () => {
    const person = createVisitor(service, (await service.createSignedIn()).cookie)
    const client = await clientOf()
    const first = tokensIn(await client.redeem(await client.codeFor(person), {}, { auth }))
    const second = tokensIn(await client.refresh(first.refresh_token, {}, { auth }))
    expect(second.access_token).not.toBe(first.access_token)
    const [before, after] = [decodeJwt(first.id_token), decodeJwt(second.id_token)]
    for (const claim of ['iss', 'sub', 'aud', 'auth_time']) expect(after[claim]).toEqual(before[claim])
    expect(after).not.toHaveProperty('nonce')
    expect(after.iat).toBeGreaterThanOrEqual(before.iat ?? 0)
    const other = createBareClient(service, await registerClient(service))
    expect(refusalOf(await other.refresh(second.refresh_token))).toEqual([400, 'invalid_grant'])
    expect((await userInfo(service, second.access_token)).status).toBe(200)
  })

  test('oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
    const client = await clientOf()
    expect((await client.redeem(await client.codeFor(visitor), {}, { auth })).status).toBe(200)
    const code = await client.codeFor(visitor)
    const wrong = await client.redeem(code, { code_verifier: 'x'.repeat(43) }, { auth })
    expect(refusalOf(wrong)).toEqual([400, 'invalid_grant'])
  })
})

test('oidcc-server-client-secret-post', async () => {
  const values = { tokenEndpointAuthMethod: 'client_secret_post' }
  const client = createBareClient(service, await registerClient(service, values))
  const reply = await client.redeem(await client.codeFor(visitor), {}, { auth: 'post' })
  expect(decodeJwt(tokensIn(reply).id_token)).toMatchObject({ iss: issuer, aud: client.id, sub: user.id })
  const inHeader = await client.redeem(await client.codeFor(visitor), {}, { auth: 'basic' })
  expect(refusalOf(inHeader)).toEqual([401, 'invalid_client'])
})
