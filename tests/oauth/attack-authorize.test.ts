import { describe, expect, test } from 'vitest'
import { createBareClient, type Fields, over, refusalOf, tokensIn, useOf } from '../support/bare-client.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { decide, redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor, signUp } from '../support/visitor.ts'

const service = await startServiceForFile()
const { request } = service
const client = createBareClient(service, await registerClient(service))
const user = await service.createSignedIn()

/** Where a request leads the browser of somebody who is signed in. */
async function follow(more: Fields, raw = '') {
  return createVisitor(service, user.cookie).open(`${client.begin(more).path}${raw}`)
}

/** The error with which a request comes back to the client, in its query. */
async function errorOf(more: Fields): Promise<string | null> {
  const { at } = await follow(more)
  expect(at.startsWith(`${redirectUri}?`)).toBe(true)
  return new URL(at).searchParams.get('error')
}

test('a request that is in order is shown to the user, and comes back with a code', async () => {
  const sight = await follow({})
  expect(sight.at).toMatch(/^\/consent\?/)
  const { at } = await decide(createVisitor(service, user.cookie), sight, 'allow')
  expect(new URL(at).searchParams.get('code')).toMatch(/^\w{32}$/)
  expect(new URL(at).searchParams.get('iss')).toBe(`${service.baseUrl}/api/auth`)
})

test('it is led on to the consent page whatever it says to accept', async () => {
  const headers = { accept: 'application/json' }
  const { status } = await request(client.begin().path, { cookie: user.cookie, headers })
  expect(status).toBe(302)
})

describe('P-01 nobody is led to where no client has said', () => {
  test.each<[string, Fields]>([
    ['a client that is unknown', { client_id: 'unknown' }],
    ['no client', { client_id: undefined }],
    ['another redirect URI', { redirect_uri: 'https://evil.example/callback' }],
    ['no redirect URI', { redirect_uri: undefined }],
    ['a script for one', { redirect_uri: 'javascript:alert(1)' }],
  ])('for %s there is an error page', async (_, more) => {
    const { at, status, html } = await follow(more)
    expect(at).toMatch(/^\/error\?/)
    expect([status, html.includes('evil.example')]).toEqual([200, false])
    expect(html).toContain('led you here')
  })

  test('nor when its answer is an error', async () => {
    for (const more of [{ prompt: 'none' }, { response_type: 'token' }, { scope: 'nothing' }, { request: 'x' }]) {
      const { at } = await follow({ ...more, redirect_uri: 'https://evil.example/callback' })
      expect(at).toMatch(/^\/error\?/)
    }
  })

  test('for a client that is disabled there is an error page', async () => {
    const admin = await service.createSignedIn('admin')
    const app = createBareClient(service, await registerClient(service))
    await request(`/api/v1/clients/${app.id}`, { method: 'PATCH', token: admin.token, json: { disabled: true } })
    expect((await createVisitor(service, user.cookie).open(app.begin().path)).at).toMatch(/^\/error\?/)
  })

  test('for a client that may sign nobody in there is an error page, though it has the redirect URI', async () => {
    const values = { redirectUris: [], clientCredentialsScopes: ['users:read'] }
    const machine = createBareClient(service, await registerClient(service, values))
    // Where an admin gives it one, it may.
    await service.db
      .updateTable('oauth_client')
      .set({ redirect_uris: JSON.stringify([redirectUri]) })
      .where('client_id', '=', machine.id)
      .execute()
    const { at, html } = await createVisitor(service, user.cookie).open(machine.begin().path)
    expect(at).toMatch(/^\/error\?error=unauthorized_client&/)
    expect(html).toContain('may not sign people in')
  })
})

describe('P-08 who is asked to sign in again does so', () => {
  test.each([
    ['changes their name', '/update-user', { name: 'Ada' }],
    ['changes their password', '/change-password', { currentPassword: password, newPassword: 'another password' }],
    ['ends their other sessions', '/revoke-other-sessions', {}],
  ])('and not who %s', async (_, path, json) => {
    const { visitor } = await signUp(service)
    await client.codeFor(visitor)
    const { at } = await visitor.open(client.begin({ prompt: 'login' }).path)
    expect(at).toMatch(/^\/sign-in\?/)
    const cookie = [...visitor.cookies].map((pair) => pair.join('=')).join('; ')
    const oauth_query = at.slice(at.indexOf('?') + 1)

    const response = await request(`/api/auth${path}`, { cookie, json: { ...json, oauth_query } })

    expect(await response.text()).not.toContain('code=')
    expect(response.headers.get('location')).toBeNull()
    expect(response.status).toBeGreaterThanOrEqual(400)
  })
})

describe('P-02 a redirect URI is the registered one to the letter', () => {
  const registered = 'https://app.example.com/callback'

  test.each([
    ['a path below it', `${registered}/evil`],
    ['a slash after it', `${registered}/`],
    ['a query', `${registered}?a=1`],
    ['a fragment', `${registered}#a`],
    ['an empty fragment', `${registered}#`],
    ['a port', 'https://app.example.com:8443/callback'],
    ['the default port', 'https://app.example.com:443/callback'],
    ['another case of the path', 'https://app.example.com/Callback'],
    ['another case of the host', 'https://APP.example.com/callback'],
    ['somebody before the host', 'https://app.example.com@evil.example/callback'],
    ['a name in it', 'https://evil@app.example.com/callback'],
    ['a way up', 'https://app.example.com/x/../callback'],
    ['an encoded dot', 'https://app.example.com/x/%2e%2e/callback'],
    ['an encoded letter', 'https://app.example.com/c%61llback'],
    ['another dot', 'https://app。example.com/callback'],
    ['a dot after the host', 'https://app.example.com./callback'],
    ['a host below it', 'https://evil.app.example.com/callback'],
    ['a host that begins with it', 'https://app.example.com.evil.example/callback'],
    ['another scheme', 'http://app.example.com/callback'],
    ['a backslash', 'https://evil.example\\@app.example.com/callback'],
  ])('and not with %s', async (_, given) => {
    const app = createBareClient(service, await registerClient(service, { redirectUris: [registered] }))
    const visitor = createVisitor(service, user.cookie)
    expect((await visitor.open(app.begin({ redirect_uri: given }).path)).at).toMatch(/^\/error\?/)
    expect((await visitor.open(app.begin({ redirect_uri: registered }).path)).at).toMatch(/^\/consent\?/)
  })

  test('and given once', async () => {
    const { at } = await follow({}, `&redirect_uri=${encodeURIComponent(redirectUri)}`)
    expect(at).toMatch(/^\/error\?/)
  })

  test('but for the port of an application on a device, which has no secret', async () => {
    const native = createBareClient(service, await registerClient(service, { tokenEndpointAuthMethod: 'none' }))
    const visitor = createVisitor(service, user.cookie)
    const port = redirectUri.replace('4999', '5001')
    expect((await visitor.open(native.begin({ redirect_uri: port }).path)).at).toMatch(/^\/consent\?/)
    for (const other of [`${port}x`, port.replace('127.0.0.1', 'localhost')]) {
      expect((await visitor.open(native.begin({ redirect_uri: other }).path)).at).toMatch(/^\/error\?/)
    }
    expect((await follow({ redirect_uri: port })).at).toMatch(/^\/error\?/)
  })
})

describe('P-03 a request has a proof key', () => {
  test.each<[string, Fields]>([
    ['none', { code_challenge: undefined, code_challenge_method: undefined }],
    ['one without its method', { code_challenge_method: undefined }],
    ['a method without it', { code_challenge: undefined }],
    ['one in plain', { code_challenge_method: 'plain' }],
    ['one of 42 characters', { code_challenge: 'x'.repeat(42) }],
    ['one of 44 characters', { code_challenge: 'x'.repeat(44) }],
    ['one of other characters', { code_challenge: '+'.repeat(43) }],
  ])('and not %s', async (_, more) => {
    expect(await errorOf(more)).toBe('invalid_request')
  })
})

describe('P-04 a request is for a code, in the query', () => {
  test.each(['token', 'id_token', 'code token', 'code id_token', 'none', 'x'])('and not for %s', async (type) => {
    const { at } = await follow({ response_type: type })
    expect(at.startsWith(redirectUri)).toBe(true)
    expect(at).toContain('error=unsupported_response_type')
    expect(at).not.toMatch(/code=|token=/)
  })

  test('and says so', async () => {
    expect(await errorOf({ response_type: undefined })).toBe('invalid_request')
  })

  test.each(['fragment', 'form_post', 'web_message', 'query.jwt', ''])('and not in mode "%s"', async (mode) => {
    const { at } = await follow({ response_mode: mode })
    expect(at.startsWith(redirectUri)).toBe(true)
    expect(at).toContain('error=unsupported_response_type')
    expect(at).not.toContain('code=')
    expect((await follow({ response_mode: 'query' })).at).not.toContain('error=')
  })
})

test('P-04 a request that is posted is judged as one that is not', async () => {
  const [action = '', query] = client.begin({ response_mode: 'fragment' }).path.split('?')
  const fields = Object.fromEntries(new URLSearchParams(query))
  const { at } = await createVisitor(service, user.cookie).submit(action, fields)
  expect(at.startsWith(redirectUri)).toBe(true)
  expect(at).toContain('error=unsupported_response_type')
})

test('a hint is given once', async () => {
  const { at } = await follow({ id_token_hint: 'x' }, '&id_token_hint=y')
  expect(new URL(at).searchParams.get('error')).toBe('invalid_request')
})

describe('P-12 a token is for the API that is here', () => {
  const api = `${service.baseUrl}/api/v1`
  const others = ['https://other.example.com/api', service.baseUrl, `${api}/`, `${service.baseUrl}/api/auth`]

  test.each(others)('and not for %s', async (resource) => {
    expect(await errorOf({ resource })).toBe('invalid_target')
  })

  test('and one for the userinfo endpoint alone is good nowhere', async () => {
    const tokens = await client.tokensFor(user, { resource: `${service.baseUrl}/api/auth/oauth2/userinfo` })
    expect(await useOf(service, client, tokens)).toEqual({ ...over, refresh: true })
  })

  test('neither with a code, a refresh token nor of a machine', async () => {
    const visitor = createVisitor(service, user.cookie)
    const machine = createBareClient(
      service,
      await registerClient(service, { clientCredentialsScopes: ['users:read'] }),
    )
    const { refresh_token } = await client.tokensFor(user)
    const userInfo = { grant_type: 'client_credentials', resource: `${service.baseUrl}/api/auth/oauth2/userinfo` }
    expect(refusalOf(await machine.send('token', userInfo))).toEqual([400, 'invalid_target'])
    for (const resource of others) {
      expect(refusalOf(await client.redeem(await client.codeFor(visitor), { resource }))).toEqual([
        400,
        'invalid_target',
      ])
      expect(refusalOf(await client.refresh(refresh_token, { resource }))).toEqual([400, 'invalid_target'])
      expect(refusalOf(await machine.send('token', { grant_type: 'client_credentials', resource }))).toEqual([
        400,
        'invalid_target',
      ])
    }
    const { access_token } = tokensIn(await client.redeem(await client.codeFor(visitor, { resource: api })))
    expect((await request('/api/v1/auth/me', { token: access_token })).status).toBe(200)
  })

  test('and not for any, where it was for none', async () => {
    const visitor = createVisitor(service, user.cookie)
    const code = await client.codeFor(visitor, { scope: 'openid offline_access' })
    expect(refusalOf(await client.redeem(code, { resource: api }))).toEqual([400, 'invalid_target'])
    const { refresh_token } = tokensIn(await client.redeem(code))
    expect(refusalOf(await client.refresh(refresh_token, { resource: api }))).toEqual([400, 'invalid_target'])
    expect((await client.refresh(refresh_token)).status).toBe(200)
    // It was exchanged: whoever brings it again is refused as who has stolen it, whatever they name.
    expect(refusalOf(await client.redeem(code, { resource: api }))).toEqual([400, 'invalid_grant'])
  })
})

test.each([
  ['blanks too many', ' openid  email email ', 'openid email'],
  ['none, which is to leave them out', '', expect.stringContaining('account:write') as string],
])('scopes may be given with %s', async (_, scope, granted) => {
  const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
  const { body } = await client.redeem(await client.codeFor(visitor, { scope }))
  expect(body['scope']).toEqual(granted)
})
