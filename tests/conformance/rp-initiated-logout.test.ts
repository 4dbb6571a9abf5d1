import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test } from 'vitest'
import { createBareClient, type Fields } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { attackerKey, hs256, signed } from '../support/tokens.ts'
import { createVisitor, type Sight, textOf } from '../support/visitor.ts'

// Named after the modules of the OpenID Foundation's plan "RP-Initiated Logout OP", which they follow.

// Its own public address leads nowhere, as it does behind many a proxy.
const service = await startServiceForFile({ env: { BETTER_AUTH_URL: 'https://auth.example.com' } })
const postLogoutUri = 'https://app.example.com/signed-out'
const registered = await registerClient(service, { postLogoutRedirectUris: [postLogoutUri] })
const client = createBareClient(service, registered)
const state = 'a state'

/** Somebody who is signed in to the application, and what it holds of them. */
async function signedIn() {
  const user = await service.createSignedIn()
  const tokens = await client.tokensFor(user, { scope: 'openid account:read' })
  return { user, visitor: createVisitor(service, user.cookie), ...tokens }
}

const endSession = (fields: Fields) => {
  const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `/api/auth/oauth2/end-session?${new URLSearchParams(given).toString()}`
}

const isSignedIn = async ({ cookie }: SignedIn) => {
  const response = await service.request('/api/auth/get-session', { cookie })
  return (await response.json()) !== null
}

const me = async (token: string) => (await service.request('/api/v1/auth/me', { token })).status

/** What the person sees who is asked, and leaves. */
async function expectQuestion(sight: Sight, { user, visitor }: Awaited<ReturnType<typeof signedIn>>) {
  expect([sight.status, sight.at.split('?')[0]]).toEqual([200, '/sign-out'])
  expect(textOf(sight)).toContain(`You are signed in as ${user.email}`)
  expect(await isSignedIn(user)).toBe(true)
  const query = new URLSearchParams(sight.at.split('?')[1])
  const after = await visitor.submit('/sign-out', Object.fromEntries(query))
  expect(await isSignedIn(user)).toBe(false)
  return after.at
}

test('oidcc-rp-initiated-logout-discovery-endpoint-verification', async () => {
  const response = await service.request('/api/auth/.well-known/openid-configuration')
  const metadata = (await response.json()) as Record<string, unknown>
  expect(metadata).toMatchObject({
    issuer: 'https://auth.example.com/api/auth',
    end_session_endpoint: 'https://auth.example.com/api/auth/oauth2/end-session',
  })
})

test('oidcc-rp-initiated-logout', async () => {
  const { user, visitor, id_token, access_token } = await signedIn()
  expect(await me(access_token)).toBe(200)

  const { at } = await visitor.open(
    endSession({ id_token_hint: id_token, post_logout_redirect_uri: postLogoutUri, state }),
  )

  expect(at).toBe(`${postLogoutUri}?state=a+state`)
  expect(await isSignedIn(user)).toBe(false)
  expect(visitor.cookies.size).toBe(0)
  // What the application held of the session is over at once.
  expect(await me(access_token)).toBe(401)
  expect((await client.introspect(access_token)).body).toEqual({ active: false })
})

test('oidcc-rp-initiated-logout by POST', async () => {
  const { user, visitor, id_token } = await signedIn()
  const fields = { id_token_hint: id_token, post_logout_redirect_uri: postLogoutUri, state }
  const { at } = await visitor.submit('/api/auth/oauth2/end-session', fields, { origin: 'https://app.example.com' })
  expect(at).toBe(`${postLogoutUri}?state=a+state`)
  expect(await isSignedIn(user)).toBe(false)
})

test('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', async () => {
  for (const uri of ['https://evil.example/', `${postLogoutUri}/`]) {
    const { user, visitor, id_token } = await signedIn()
    const { at } = await visitor.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: uri, state }))
    expect(at).toBe('/sign-in?notice=signed-out')
    expect(await isSignedIn(user)).toBe(false)
  }
  for (const uri of [postLogoutUri.replace('https', 'http'), '//evil.example', 'javascript:alert(1)', '']) {
    const { user, visitor, id_token } = await signedIn()
    const { at } = await visitor.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: uri, state }))
    expect(at).toBe('/error?error=invalid_logout')
    expect(await isSignedIn(user)).toBe(true)
  }
})

test('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', async () => {
  const { visitor, id_token } = await signedIn()
  const uri = `${postLogoutUri}?added=1`
  const { at } = await visitor.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: uri, state }))
  expect(at).toBe('/sign-in?notice=signed-out')
})

test('oidcc-rp-initiated-logout-modified-id-token-hint', async () => {
  const person = await signedIn()
  const [header = '', , signature = ''] = person.id_token.split('.')
  const claims = { ...decodeJwt(person.id_token), sub: 'another' }
  const hint = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
  const sight = await person.visitor.open(
    endSession({ id_token_hint: hint, post_logout_redirect_uri: postLogoutUri, state }),
  )
  expect(await expectQuestion(sight, person)).toBe('/sign-in?notice=signed-out')
})

test('a hint that others have signed ends no session, whoever brings it', async () => {
  const { user, id_token } = await signedIn()
  const { kid } = decodeProtectedHeader(id_token)
  const claims = { ...decodeJwt(id_token) }
  const forged = [
    signed(attackerKey(String(kid)), claims, { typ: 'JWT' }),
    hs256(registered.secret ?? '', claims, { kid }),
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${id_token.split('.')[1]}.`,
  ]
  for (const hint of forged) {
    for (const cookie of [undefined, (await signedIn()).user.cookie]) {
      const fields = { id_token_hint: hint, post_logout_redirect_uri: postLogoutUri, state }
      expect((await createVisitor(service, cookie).open(endSession(fields))).at).not.toContain('app.example.com')
      expect(await isSignedIn(user)).toBe(true)
    }
  }
})

test('oidcc-rp-initiated-logout-bad-id-token-hint', async () => {
  const person = await signedIn()
  // One of ours, and signed, but no ID token.
  for (const hint of ['bad', 'a.b.c', person.access_token]) {
    const sight = await person.visitor.open(
      endSession({ id_token_hint: hint, post_logout_redirect_uri: postLogoutUri, state }),
    )
    expect(sight.at).not.toContain('app.example.com')
    expect(await isSignedIn(person.user)).toBe(true)
  }
})

test('oidcc-rp-initiated-logout-no-id-token-hint', async () => {
  const person = await signedIn()
  const sight = await person.visitor.open(endSession({ post_logout_redirect_uri: postLogoutUri, state }))
  expect(await expectQuestion(sight, person)).toBe('/sign-in?notice=signed-out')
})

test('oidcc-rp-initiated-logout-no-id-token-hint, with the client named instead', async () => {
  const person = await signedIn()
  const fields = { client_id: client.id, post_logout_redirect_uri: postLogoutUri, state }
  const sight = await person.visitor.open(endSession(fields))
  expect(textOf(sight)).toContain('An application asks to sign you out here')
  expect(await expectQuestion(sight, person)).toBe(`${postLogoutUri}?state=a+state`)
  const other = await signedIn()
  const again = await other.visitor.open(endSession({ ...fields, state: undefined }))
  expect(await expectQuestion(again, other)).toBe(postLogoutUri)
})

test('oidcc-rp-initiated-logout-no-params', async () => {
  const person = await signedIn()
  expect(await expectQuestion(await person.visitor.open(endSession({})), person)).toBe('/sign-in?notice=signed-out')
})

test('oidcc-rp-initiated-logout-no-state', async () => {
  const { visitor, id_token } = await signedIn()
  const { at } = await visitor.open(endSession({ id_token_hint: id_token, post_logout_redirect_uri: postLogoutUri }))
  expect(at).toBe(postLogoutUri)
})

test('oidcc-rp-initiated-logout-only-state', async () => {
  const person = await signedIn()
  expect(await expectQuestion(await person.visitor.open(endSession({ state })), person)).toBe(
    '/sign-in?notice=signed-out',
  )
})

test('oidcc-rp-initiated-logout-no-post-logout-redirect-uri', async () => {
  const { user, visitor, id_token } = await signedIn()
  const { at } = await visitor.open(endSession({ id_token_hint: id_token, state }))
  expect(at).toBe('/sign-in?notice=signed-out')
  expect(await isSignedIn(user)).toBe(false)
})

test('oidcc-rp-initiated-logout of a session that is over already', async () => {
  const { visitor, id_token } = await signedIn()
  const fields = { id_token_hint: id_token, post_logout_redirect_uri: postLogoutUri, state }
  await visitor.open(endSession(fields))
  expect((await visitor.open(endSession(fields))).at).toBe(`${postLogoutUri}?state=a+state`)
  expect((await visitor.open(endSession({}))).at).toBe('/sign-in?notice=signed-out')
  const named = { client_id: client.id, post_logout_redirect_uri: postLogoutUri, state }
  expect((await visitor.open(endSession(named))).at).toBe(`${postLogoutUri}?state=a+state`)
  const foreign = { ...named, post_logout_redirect_uri: 'https://evil.example/' }
  expect((await visitor.open(endSession(foreign))).at).toBe('/sign-in?notice=signed-out')
})

test('oidcc-rp-initiated-logout asks who is signed in anew', async () => {
  const { user, id_token } = await signedIn()
  const again = await service.signIn(user)
  const visitor = createVisitor(service, again.cookie)
  const fields = { id_token_hint: id_token, post_logout_redirect_uri: postLogoutUri, state }
  const sight = await visitor.open(endSession(fields))
  expect(await expectQuestion(sight, { ...(await signedIn()), user: again, visitor })).toBe(
    `${postLogoutUri}?state=a+state`,
  )
})

test('the sign-out page leads nowhere but to an address of the application it names, and asks first', async () => {
  const person = await signedIn()
  for (const fields of [
    { client_id: client.id, post_logout_redirect_uri: 'https://evil.example/' },
    { client_id: 'another', post_logout_redirect_uri: postLogoutUri },
  ]) {
    const sight = await person.visitor.open(`/sign-out?${new URLSearchParams(fields).toString()}`)
    expect(sight.headers.get('content-security-policy')).toContain("form-action 'self';")
    expect(sight.html).not.toContain('example.com/')
    expect(textOf(sight)).not.toContain('An application asks')
  }
  const forged = await person.visitor.submit('/sign-out', {}, { origin: 'https://evil.example' })
  expect([forged.status, await isSignedIn(person.user)]).toEqual([403, true])
  const confirm = await service.request('/api/auth/oauth2/end-session/confirm', {
    cookie: person.user.cookie,
    json: {},
  })
  expect([confirm.status, await isSignedIn(person.user)]).toEqual([404, true])
})

test('the sign-out page lets its form lead to an application on a device, where that is its own', async () => {
  const to = 'com.example.weather:/signed-out'
  const app = await registerClient(service, { postLogoutRedirectUris: [to] })
  const { visitor } = await signedIn()
  const query = new URLSearchParams({ client_id: app.id, post_logout_redirect_uri: to })

  const sight = await visitor.open(`/sign-out?${query.toString()}`)

  expect(sight.headers.get('content-security-policy')).toContain("form-action 'self' com.example.weather:;")
})

test('a client that is unknown or switched off ends nothing', async () => {
  const person = await signedIn()
  const { at, html } = await person.visitor.open(endSession({ client_id: 'unknown' }))
  expect(at).toBe('/error?error=invalid_logout')
  expect(html).toContain('nothing has happened')
  expect(await isSignedIn(person.user)).toBe(true)
})
