import { describe, expect, test } from 'vitest'
import { forgedClaims, forgedKinds } from '../support/forged-tokens.ts'
import { startServiceForFile } from '../support/harness.ts'
import { clientOf, grantClient } from '../support/openapi.ts'
import { accepted, createTokenProbe, refused } from '../support/token-probe.ts'
import { frontEnd, hs256, type Members, nowSeconds, sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile({
  env: frontEnd.env,
})
const { request } = service
const user = await service.createSignedIn()
const key = await signingKeyOf(service)
const { everywhere } = createTokenProbe(service, await service.createSignedIn())
const forge = { service, user, key }

const ofSession = (changes: Members = {}) => signed(key, sessionClaims(service, user, changes))
const ofFrontEnd = (changes: Members = {}, header: Members = {}) =>
  hs256(frontEnd.secret, sessionClaims(service, user, { iss: frontEnd.issuer, sid: undefined, ...changes }), header)

test('J-25 to J-31 the claims that are changed below open the account as they are', async () => {
  expect(await everywhere(ofSession())).toEqual(accepted(user))
  expect(await everywhere(ofFrontEnd())).toEqual(accepted(user))
})

test.each([...forgedClaims(forge), ...forgedKinds(forge)])('%s', async (_name, token, type) => {
  expect(await everywhere(token)).toEqual(refused(type))
})

const owner = await grantClient(service, await service.createSignedIn())
await service.db.updateTable('oauth_client').set({ scopes: '["account:read"]' }).execute()
await service.db.updateTable('oauth_grant').set({ scopes: '["account:read"]' }).execute()

describe('an access token of an application', () => {
  const ofClient = { client_id: clientOf(owner.id), jti: 'j', scope: 'account:read' }
  const typ = { typ: 'at+jwt' }
  // It may name us in a list, and have no session where it is for one that is over.
  const verdicts = new Map([
    [`J-30 aud ["${service.baseUrl}/api/v1"]`, accepted(owner)],
    ['J-30 no sid', refused('session-ended')],
  ])

  test('opens the account as it is', async () => {
    expect(await everywhere(signed(key, sessionClaims(service, owner, ofClient), typ))).toEqual(accepted(owner))
  })

  test.each(forgedClaims({ ...forge, user: owner }, ofClient, typ))('%s', async (name, token, type) => {
    expect(await everywhere(token)).toEqual(verdicts.get(name) ?? refused(type))
  })
})

describe('J-30, J-31 a token of a trusted front end', () => {
  const now = nowSeconds()

  test.each<[string, Members, Members?]>([
    ['a kid', {}, { kid: 'any' }],
    ['a session', { sid: 'any' }],
    ['a type of its own', {}, { typ: 'at+jwt' }],
    ['our own issuer', { iss: `${service.baseUrl}/api/auth` }],
    ['another issuer', { iss: `${frontEnd.issuer}/` }],
    ['another audience', { aud: 'https://front-end.example' }],
    ['no iat', { iat: undefined }],
    ['no exp', { exp: undefined }],
    ['no sub', { sub: undefined }],
    ['an iat in the future', { iat: now + 600, exp: now + 900 }],
    ['a life of more than a day', { exp: now + 86_401 }],
    ['a life of ten years', { exp: now + 315_360_000 }],
    ['a life of ten years, of which a minute is left', { iat: now - 315_360_000, exp: now + 60 }],
  ])('is refused with %s', async (_name, changes, header) => {
    expect(await everywhere(ofFrontEnd({ iat: now, exp: now + 900, ...changes }, header))).toEqual(refused())
  })

  test('may live for a day', async () => {
    expect(await everywhere(ofFrontEnd({ iat: now, exp: now + 86_400 }))).toEqual(accepted(user))
  })
})

describe('J-31 a session JWT', () => {
  const now = nowSeconds()
  const endedAgo = (seconds: number) => ofSession({ iat: nowSeconds() - 60, exp: nowSeconds() - seconds })

  test('is good until its end, and five seconds for clocks that differ', async () => {
    expect(await everywhere(endedAgo(0))).toEqual(accepted(user))
    expect(await everywhere(endedAgo(7))).toEqual(refused('token-expired'))
  })

  test('may live for an hour', async () => {
    expect(await everywhere(ofSession({ iat: now, exp: now + 3_600 }))).toEqual(accepted(user))
  })
})

describe('J-39 a session JWT', () => {
  test('that says admin has the permissions of the role in the database', async () => {
    const token = ofSession({ role: 'admin', scope: 'users:read' })

    const [me, users] = await Promise.all(['auth/me', 'users'].map((path) => request(`/api/v1/${path}`, { token })))

    expect([me?.status, users?.status]).toEqual([200, 403])
    await service.db.updateTable('user').set({ role: 'admin' }).where('id', '=', user.id).execute()
    expect((await request('/api/v1/users', { token: ofSession({ role: 'user' }) })).status).toBe(200)
  })

  test('that names the session of somebody else is refused', async () => {
    const eve = await service.createSignedIn()
    const token = signed(key, sessionClaims(service, eve, { sid: user.sessionId }))

    expect(await everywhere(token)).toEqual(refused('session-ended'))
    expect(await everywhere(signed(key, sessionClaims(service, eve)))).toEqual(accepted(eve))
  })
})
