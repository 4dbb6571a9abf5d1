import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { createBareClient, type Fields, tokensIn, userInfo } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { decide, redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor, signUp } from '../support/visitor.ts'

// Named after the modules of the OpenID Foundation's plan "Basic OP", which they follow. Every request has a proof key,
// which the service demands of all clients.

const service = await startServiceForFile()
const client = createBareClient(service, await registerClient(service))

/** Somebody who is signed in and has allowed the client what it asks. */
async function known(): Promise<SignedIn> {
  const user = await service.createSignedIn()
  await client.tokensFor(user)
  return user
}

/** What comes back at once to the client of somebody it knows. */
async function back(user: SignedIn, more: Fields): Promise<URLSearchParams> {
  const { at } = await createVisitor(service, user.cookie).open(client.begin(more).path)
  expect(at.startsWith(`${redirectUri}?`)).toBe(true)
  return new URL(at).searchParams
}

/** The claims of the ID token that a request leads to at once. */
async function claimsOf(user: SignedIn, more: Fields) {
  const code = await client.codeFor(createVisitor(service, user.cookie), more)
  return decodeJwt(tokensIn(await client.redeem(code)).id_token)
}

/** Lets it be so many seconds longer ago that people signed in. */
function ageSessions(seconds: number): Promise<void> {
  return service.db.transaction().execute(async (trx) => {
    await sql`alter table session disable trigger session_slide`.execute(trx)
    await sql`update session set created_at = created_at - ${seconds} * interval '1 second'`.execute(trx)
    await sql`alter table session enable trigger session_slide`.execute(trx)
  })
}

describe('oidcc-basic: the request', () => {
  test('oidcc-response-type-missing', async () => {
    const parameters = await back(await known(), { response_type: undefined, state: 'a state' })
    expect(parameters.get('error')).toMatch(/^(invalid_request|unsupported_response_type)$/)
    expect([parameters.get('state'), parameters.has('code')]).toEqual(['a state', false])
  })

  test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async () => {
    expect(await claimsOf(await known(), { nonce: undefined })).not.toHaveProperty('nonce')
    expect(await claimsOf(await known(), { nonce: 'a nonce' })).toHaveProperty('nonce', 'a nonce')
  })

  test('oidcc-ensure-request-with-unknown-parameter-succeeds', async () => {
    expect((await back(await known(), { extra: 'foobar' })).has('code')).toBe(true)
  })

  test('oidcc-login-hint', async () => {
    const { path } = client.begin({ login_hint: 'ada@example.com' })
    const { at, html } = await createVisitor(service).open(path)
    expect(at).toMatch(/^\/sign-in\?/)
    expect(html).toContain('value="ada@example.com"')
    expect((await back(await known(), { login_hint: 'ada@example.com' })).has('code')).toBe(true)
  })

  test.each(['page', 'popup'])('oidcc-display-%s', async (display) => {
    expect((await back(await known(), { display })).has('code')).toBe(true)
  })

  test('oidcc-ui-locales', async () => {
    expect((await back(await known(), { ui_locales: 'se' })).has('code')).toBe(true)
  })

  test('oidcc-claims-locales', async () => {
    expect((await back(await known(), { claims_locales: 'se' })).has('code')).toBe(true)
  })

  test('oidcc-ensure-request-with-acr-values-succeeds', async () => {
    expect(await claimsOf(await known(), { acr_values: '1 2' })).toHaveProperty('acr', '0')
  })

  test('oidcc-claims-essential', async () => {
    const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
    // They are not offered: the request is answered as if it had none.
    expect((await back(await known(), { claims })).has('code')).toBe(true)
  })

  test('oidcc-ensure-registered-redirect-uri', async () => {
    const { path } = client.begin({ redirect_uri: `${redirectUri}/unregistered` })
    const { at } = await createVisitor(service, (await known()).cookie).open(path)
    expect(at).toMatch(/^\/error\?/)
  })

  test('oidcc-ensure-post-request-succeeds', async () => {
    const user = await known()
    const [action = '', query = ''] = client.begin({ state: 'a state' }).path.split('?')
    const fields = Object.fromEntries(new URLSearchParams(query))
    const { at } = await createVisitor(service, user.cookie).submit(action, fields, {
      origin: 'https://app.example.com',
    })
    const parameters = new URL(at).searchParams
    expect([parameters.has('code'), parameters.get('state')]).toEqual([true, 'a state'])
  })

  test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async () => {
    const parameters = await back(await known(), {
      request_uri: 'https://app.example.com/request.jwt',
      state: 'a state',
    })
    expect([parameters.get('error'), parameters.get('state')]).toEqual(['request_uri_not_supported', 'a state'])
  })

  const requestObject = (claims: object) =>
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`

  test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async () => {
    const request = requestObject({ client_id: client.id, state: 'another state' })
    const parameters = await back(await known(), { request, state: 'a state' })
    expect([parameters.get('error'), parameters.get('state')]).toEqual(['request_not_supported', 'a state'])
  })

  test('oidcc-ensure-request-object-with-redirect-uri', async () => {
    const request = requestObject({ client_id: client.id, redirect_uri: redirectUri })
    const visitor = createVisitor(service, (await known()).cookie)
    const { at } = await visitor.open(client.begin({ request, redirect_uri: 'https://evil.example/' }).path)
    expect(at).toMatch(/^\/error\?/)
    expect((await back(await known(), { request })).get('error')).toBe('request_not_supported')
  })
})

describe('oidcc-basic: signing in', () => {
  test('oidcc-prompt-login', async () => {
    const { visitor, email, password } = await signUp(service)
    await ageSessions(5)
    const before = await client.codeFor(visitor)
    const first = decodeJwt(tokensIn(await client.redeem(before)).id_token)

    const { path, verifier } = client.begin({ prompt: 'login' })
    const page = await visitor.open(path)
    expect(page.at).toMatch(/^\/sign-in\?/)
    const { at } = await visitor.submit('/sign-in', { email, password, oauth_query: page.at.split('?')[1] ?? '' })

    const code = new URL(at).searchParams.get('code') ?? ''
    const second = decodeJwt(tokensIn(await client.redeem({ code, verifier })).id_token)
    expect(second.sub).toBe(first.sub)
    expect(second['sid']).not.toBe(first['sid'])
    expect(second['auth_time']).toBeGreaterThan(Number(first['auth_time']))
  })

  test('oidcc-prompt-none-not-logged-in', async () => {
    const { at } = await createVisitor(service).open(client.begin({ prompt: 'none', state: 'a state' }).path)
    const { searchParams } = new URL(at)
    expect([searchParams.get('error'), searchParams.get('state')]).toEqual(['login_required', 'a state'])
    expect(searchParams.has('code')).toBe(false)
  })

  test('oidcc-prompt-none-logged-in', async () => {
    const user = await known()
    expect((await claimsOf(user, { prompt: 'none' })).sub).toBe(user.id)
    const unknown = await service.createSignedIn()
    expect((await back(unknown, { prompt: 'none' })).get('error')).toBe('consent_required')
  })

  test('oidcc-max-age-1', async () => {
    const { visitor, email, password } = await signUp(service)
    await client.codeFor(visitor)
    await ageSessions(2)
    const signedIn = new Date(Date.now() - 2_000)

    const { path, verifier } = client.begin({ max_age: '1' })
    const page = await visitor.open(path)
    expect(page.at).toMatch(/^\/sign-in\?/)
    const { at } = await visitor.submit('/sign-in', { email, password, oauth_query: page.at.split('?')[1] ?? '' })

    const code = new URL(at).searchParams.get('code') ?? ''
    const claims = decodeJwt(tokensIn(await client.redeem({ code, verifier })).id_token)
    expect(claims['auth_time']).toBeGreaterThan(Math.floor(signedIn.getTime() / 1_000))
    expect((await createVisitor(service).open(client.begin({ max_age: '1', prompt: 'none' }).path)).at).toContain(
      'error=login_required',
    )
  })

  test('oidcc-max-age-10000', async () => {
    const user = await known()
    await ageSessions(5_000)
    const first = await claimsOf(user, { max_age: '10000' })
    const second = await claimsOf(user, { max_age: '10000' })
    expect(second['auth_time']).toBe(first['auth_time'])
    expect(first['auth_time']).toBeLessThanOrEqual(Date.now() / 1_000 - 4_999)
  })

  test('oidcc-id-token-hint', async () => {
    const user = await known()
    const { id_token: hint } = await client.tokensFor(user)
    expect((await claimsOf(user, { prompt: 'none', id_token_hint: hint })).sub).toBe(user.id)
    // What is no token is of nobody.
    for (const none of ['x', `${hint}.x`])
      expect((await back(user, { prompt: 'none', id_token_hint: none })).get('error')).toBe('login_required')
  })

  test('oidcc-id-token-hint of somebody else', async () => {
    const user = await known()
    const { id_token: hint } = await client.tokensFor(await service.createSignedIn())
    expect((await back(user, { prompt: 'none', id_token_hint: hint })).get('error')).toBe('login_required')
    const page = await createVisitor(service, user.cookie).open(client.begin({ id_token_hint: hint }).path)
    expect(page.at).toMatch(/^\/sign-in\?/)
    // Whoever else signs in then, the client gets nothing of theirs.
    const { visitor, email, password } = await signUp(service)
    await client.codeFor(visitor)
    const { path, verifier } = client.begin({ id_token_hint: hint })
    const { at } = await visitor.open(path)
    const after = await visitor.submit('/sign-in', { email, password, oauth_query: at.split('?')[1] ?? '' })
    const code = new URL(after.at).searchParams.get('code') ?? ''
    expect(await client.redeem({ code, verifier })).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  test('prompt=create leads to the page where an account is made, and on', async () => {
    const { path, verifier } = client.begin({ prompt: 'create' })
    const visitor = createVisitor(service)
    const page = await visitor.open(path)
    expect(page.at).toMatch(/^\/sign-up\?/)
    const fields = { name: 'Ada', email: `${crypto.randomUUID()}@example.com`, password: 'correct horse battery' }
    let sight = await visitor.submit('/sign-up', { ...fields, oauth_query: page.at.split('?')[1] ?? '' })
    expect(sight.at).toMatch(/^\/consent\?/)
    sight = await decide(visitor, sight, 'allow')
    const code = new URL(sight.at).searchParams.get('code') ?? ''
    const { access_token } = tokensIn(await client.redeem({ code, verifier }))
    expect((await userInfo(service, access_token)).body).toMatchObject({ email: fields.email })
  })

  test('prompt=select_account leads to the sign-in page, and on', async () => {
    const { visitor, email, password } = await signUp(service)
    await client.codeFor(visitor)
    const page = await visitor.open(client.begin({ prompt: 'select_account' }).path)
    expect(page.at).toMatch(/^\/sign-in\?/)
    const { at } = await visitor.submit('/sign-in', { email, password, oauth_query: page.at.split('?')[1] ?? '' })
    expect(new URL(at).searchParams.has('code')).toBe(true)
  })

  test('prompt=consent asks again', async () => {
    const { at } = await createVisitor(service, (await known()).cookie).open(client.begin({ prompt: 'consent' }).path)
    expect(at).toMatch(/^\/consent\?/)
  })
})
