import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { allow, redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

// A client of another make than the one of oauth.test.ts, which checks every answer to the letter.

const service = await startServiceForFile()
const registered = await registerClient(service, { clientCredentialsScopes: ['users:read'] })
const local = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(`${service.baseUrl}/api/auth`)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, local))
const client: oauth.Client = { client_id: registered.id }
const auth = oauth.ClientSecretBasic(registered.secret ?? '')

const me = async (token: string) => (await service.request('/api/v1/auth/me', { token })).status

/** The tokens that somebody gives the client, as it has checked them. */
async function signIn(userCookie: string, scope = 'openid email offline_access account:read') {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const url = new URL(server.authorization_endpoint ?? '')
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()
  const callback = oauth.validateAuthResponse(
    server,
    client,
    await allow(createVisitor(service, userCookie), { url }),
    state,
  )
  const exchange = () =>
    oauth.authorizationCodeGrantRequest(server, client, auth, callback, redirectUri, verifier, local)
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, await exchange(), {
    expectedNonce: nonce,
    requireIdToken: true,
  })
  return { tokens, exchange }
}

test('the metadata is found by both specifications', async () => {
  const response = await oauth.discoveryRequest(issuer, { ...local, algorithm: 'oauth2' })
  expect(await oauth.processDiscoveryResponse(issuer, response)).toEqual(server)
})

test('a code is exchanged for tokens, whose signature and user information are good', async () => {
  const user = await service.createSignedIn()
  const { tokens } = await signIn(user.cookie)

  const claims = oauth.getValidatedIdTokenClaims(tokens)
  expect(claims).toMatchObject({ sub: user.id, aud: client.client_id })
  expect(await me(tokens.access_token)).toBe(200)
  const info = await oauth.userInfoRequest(server, client, tokens.access_token, local)
  expect(await oauth.processUserInfoResponse(server, client, user.id, info)).toMatchObject({ email: user.email })
})

test('the resource server finds a good access token of RFC 9068', async () => {
  const { tokens } = await signIn((await service.createSignedIn()).cookie)
  const request = new Request(`${service.baseUrl}/api/v1/auth/me`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  })
  const claims = await oauth.validateJwtAccessToken(server, request, `${service.baseUrl}/api/v1`, local)
  expect(claims).toMatchObject({ client_id: client.client_id, scope: 'openid email offline_access account:read' })
})

test('a code that comes again is refused, and its tokens end', async () => {
  const { tokens, exchange } = await signIn((await service.createSignedIn()).cookie)
  const again = oauth.processAuthorizationCodeResponse(server, client, await exchange())
  await expect(again).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
  expect(await me(tokens.access_token)).toBe(401)
})

test('a refresh token is exchanged once', async () => {
  const { tokens } = await signIn((await service.createSignedIn()).cookie)
  const refresh = async (token: string) => {
    const response = await oauth.refreshTokenGrantRequest(server, client, auth, token, local)
    return oauth.processRefreshTokenResponse(server, client, response)
  }
  const next = await refresh(tokens.refresh_token ?? '')
  expect(next.refresh_token).not.toBe(tokens.refresh_token)
  expect(await me(next.access_token)).toBe(200)
  await expect(refresh(tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' })
  await expect(refresh(next.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' })
})

test('a machine gets a token by client credentials', async () => {
  const ask = async (scope: string) => {
    const response = await oauth.clientCredentialsGrantRequest(server, client, auth, { scope }, local)
    return oauth.processClientCredentialsResponse(server, client, response)
  }
  const { access_token, token_type } = await ask('users:read')
  expect(token_type).toBe('bearer')
  expect((await service.request('/api/v1/users', { token: access_token })).status).toBe(200)
  await expect(ask('users:write')).rejects.toMatchObject({ error: 'invalid_scope' })
})

test('tokens are introspected and revoked', async () => {
  const user = await service.createSignedIn()
  const { tokens } = await signIn(user.cookie)
  const introspect = async (token: string) => {
    const response = await oauth.introspectionRequest(server, client, auth, token, local)
    return oauth.processIntrospectionResponse(server, client, response)
  }
  expect(await introspect(tokens.access_token)).toMatchObject({ active: true, sub: user.id })
  for (const token of [tokens.access_token, tokens.refresh_token ?? '', 'unknown']) {
    const response = await oauth.revocationRequest(server, client, auth, token, local)
    expect(await oauth.processRevocationResponse(response)).toBeUndefined()
    expect(await introspect(token)).toEqual({ active: false })
  }
})

test('a client that is not who it says meets a challenge it can read', async () => {
  const impostor = oauth.ClientSecretBasic('x'.repeat(43))
  const response = await oauth.clientCredentialsGrantRequest(server, client, impostor, {}, local)
  await expect(oauth.processClientCredentialsResponse(server, client, response)).rejects.toMatchObject({
    status: 401,
    cause: [{ scheme: 'basic', parameters: { realm: 'oauth2' } }],
  })
})

test('user information is refused with a challenge that a client can read', async () => {
  const response = await oauth.userInfoRequest(server, client, 'x'.repeat(32), local)
  await expect(oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck, response)).rejects.toMatchObject({
    status: 401,
    cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }],
  })
})
