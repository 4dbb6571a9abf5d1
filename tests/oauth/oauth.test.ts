import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as client from 'openid-client'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import {
  allow,
  beginSignIn,
  createRelyingParty,
  decide,
  redeem,
  registerClient,
  tokensFor,
} from '../support/relying-party.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const party = await createRelyingParty(service, await registerClient(service))

const me = (token: string) => service.request('/api/v1/auth/me', { token })

test('an application signs somebody in through the consent page and calls the API', async () => {
  const user = await service.createSignedIn()
  const visitor = createVisitor(service, user.cookie)
  const request = await beginSignIn(party, 'openid email account:read')

  const consent = await visitor.open(`${request.url.pathname}${request.url.search}`)
  expect(textOf(consent)).toContain('Allow Weather?')
  expect(textOf(consent)).toContain('see your e-mail address')
  const back = await decide(visitor, consent, 'allow')
  const tokens = await redeem(party, new URL(back.at), request)

  expect(tokens.claims()).toMatchObject({ sub: user.id, nonce: request.nonce, aud: party.id })
  expect(decodeProtectedHeader(tokens.access_token)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' })
  expect(decodeJwt(tokens.access_token)).toMatchObject({
    sub: user.id,
    sid: user.sessionId,
    client_id: party.id,
    scope: 'openid email account:read',
  })
  expect(await (await me(tokens.access_token)).json()).toMatchObject({ id: user.id })
  const info = await client.fetchUserInfo(party.config, tokens.access_token, user.id)
  expect(info).toMatchObject({ sub: user.id, email: user.email })
})

test('a client that asks for none of our scopes gets a token that only tells who it is', async () => {
  const user = await service.createSignedIn()
  const { access_token } = await tokensFor(service, party, user, 'openid profile')

  expect(access_token).not.toContain('.')
  expect((await me(access_token)).status).toBe(401)
  expect(await client.fetchUserInfo(party.config, access_token, user.id)).toMatchObject({ name: 'Test User' })
})

test('a machine gets a token of its own and does what it was registered for', async () => {
  const machine = await createRelyingParty(
    service,
    await registerClient(service, { redirectUris: [], clientCredentialsScopes: ['users:read'] }),
  )

  const { access_token } = await client.clientCredentialsGrant(machine.config)

  expect(decodeJwt(access_token)).toMatchObject({ sub: machine.id, client_id: machine.id, scope: 'users:read' })
  expect((await service.request('/api/v1/users', { token: access_token })).status).toBe(200)
  expect((await me(access_token)).status).toBe(403)
})

test.each<[string, Record<string, string>, RegExp]>([
  ['a client that there is not', { client_id: 'nobody' }, /does not know the application/],
  ['an address that is not registered', { redirect_uri: 'https://evil.example/callback' }, /not its own/],
  ['an implicit flow', { response_type: 'token', redirect_uri: 'https://evil.example' }, /cannot be answered/],
])('a request with %s ends on a page that says so, and nowhere else', async (_what, changes, text) => {
  const { url } = await beginSignIn(party, 'openid', changes)
  const sight = await createVisitor(service).open(`${url.pathname}${url.search}`)

  expect(sight.at).toMatch(/^\/error\?/)
  expect(textOf(sight)).toMatch(text)
})

test('the log tells none of the secrets that go to and fro', async () => {
  const user = await service.createSignedIn()
  const request = await beginSignIn(party, 'openid account:read offline_access')
  const callback = await allow(createVisitor(service, user.cookie), request)
  const tokens = await redeem(party, callback, request)
  const { refresh_token: refresh = '' } = tokens
  await client.refreshTokenGrant(party.config, refresh)
  await expect(client.refreshTokenGrant(party.config, refresh)).rejects.toMatchObject({ error: 'invalid_grant' })
  await expect(redeem(party, callback, request)).rejects.toMatchObject({ error: 'invalid_grant' })

  const code = callback.searchParams.get('code')
  const secrets = [party.secret, code, request.verifier, refresh, tokens.access_token, tokens.id_token]
  const log = service.logLines().join('\n')
  expect(log).toContain('/api/auth/oauth2/token')
  expect(secrets.filter((text) => text === null || text === undefined || log.includes(text))).toEqual([])
})

test('an application refreshes its tokens, and loses them all when an old one comes again', async () => {
  const user = await service.createSignedIn()
  const first = await tokensFor(service, party, user, 'openid account:read offline_access')

  const second = await client.refreshTokenGrant(party.config, first.refresh_token ?? '')

  expect(second.refresh_token).not.toBe(first.refresh_token)
  expect((await me(second.access_token)).status).toBe(200)
  const again = client.refreshTokenGrant(party.config, first.refresh_token ?? '')
  await expect(again).rejects.toMatchObject({ error: 'invalid_grant' })
  expect((await me(second.access_token)).status).toBe(401)
})

test('an application asks about its tokens, and gives them back', async () => {
  const user = await service.createSignedIn()
  const { access_token, refresh_token = '' } = await tokensFor(
    service,
    party,
    user,
    'openid account:read offline_access',
  )
  expect(await client.tokenIntrospection(party.config, access_token)).toMatchObject({ active: true, sub: user.id })

  await client.tokenRevocation(party.config, access_token)
  expect(await client.tokenIntrospection(party.config, access_token)).toEqual({ active: false })
  expect((await me(access_token)).status).toBe(401)

  await client.tokenRevocation(party.config, refresh_token)
  expect(await client.tokenIntrospection(party.config, refresh_token)).toEqual({ active: false })
})

test('an application signs somebody out', async () => {
  const postLogoutUri = 'http://127.0.0.1:4999/signed-out'
  const app = await createRelyingParty(
    service,
    await registerClient(service, { postLogoutRedirectUris: [postLogoutUri] }),
  )
  const user = await service.createSignedIn()
  const { id_token = '', access_token } = await tokensFor(service, app, user)
  const url = client.buildEndSessionUrl(app.config, {
    id_token_hint: id_token,
    post_logout_redirect_uri: postLogoutUri,
    state: 'a state',
  })

  const { at } = await createVisitor(service, user.cookie).open(`${url.pathname}${url.search}`)

  expect(at).toBe(`${postLogoutUri}?state=a+state`)
  expect((await me(access_token)).status).toBe(401)
})
