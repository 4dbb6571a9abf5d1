import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { base64url, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { halfHash } from '../support/standins/half-hash.ts'
import {
  accessToken,
  clientId,
  clientSecret,
  type Lie,
  startLyingProvider,
} from '../support/standins/lying-provider.ts'
import { createVisitor, textOf } from '../support/visitor.ts'

const provider = await startLyingProvider()
afterAll(provider.close)
const service = await startServiceForFile({ env: provider.env })
let person = { sub: '', email: '', email_verified: true, name: 'Ada' }

beforeEach(() => {
  person = { ...person, sub: randomUUID(), email: `${randomUUID()}@example.com` }
  provider.asked = []
})

/** Comes back from the provider, which lies like this, and tells what has become of it. */
async function comeBack(lie: Lie) {
  provider.lie = { ...lie, person: { ...person, ...lie.person } }
  const visitor = createVisitor(service)
  const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
  const { nonce = '', state = '' } = Object.fromEntries(new URL(at).searchParams)
  provider.nonce = nonce
  const before = await countUsers()
  const sight = await visitor.open(`/api/auth/callback/oidc?code=any&state=${state}`)
  const isSignedIn = visitor.cookies.has(service.services.sessionCookies.name)
  return { at: sight.at, text: textOf(sight), isSignedIn, users: await users(), made: (await countUsers()) - before }
}

const users = () =>
  service.db
    .selectFrom('account')
    .innerJoin('user', 'user.id', 'account.user_id')
    .select(['email', 'name', 'email_verified', 'image'])
    .where('account_id', '=', person.sub)
    .execute()

const countUsers = async () => (await service.db.selectFrom('user').select('id').execute()).length

const refused = (error = 'unable_to_get_user_info') => ({
  at: `/error?error=${error}`,
  text: expect.stringContaining('start again') as string,
  isSignedIn: false,
  made: 0,
})

const accepted = (user: object = { email: person.email, name: 'Ada' }) => ({
  at: '/account',
  isSignedIn: true,
  users: [user],
  made: 1,
})

type Claims = Record<string, unknown>
const segment = (value: object) => base64url.encode(JSON.stringify(value))
const unsigned = (claims: Claims) => `${segment({ alg: 'none' })}.${segment(claims)}.`
const { privateKey: otherKey } = await generateKeyPair('RS256')
const byAnother = (claims: Claims) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'a' }).sign(otherKey)
const withSecret = (claims: Claims) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(clientSecret))

// By the names of the modules of the conformance suite for a client with the code flow.
describe('OIDCCClientBasic', () => {
  test.each<[string, Lie]>([
    ['InvalidIssuer', { idToken: { iss: 'https://login.evil.example' } }],
    ['MissingSub', { idToken: { sub: undefined } }],
    ['InvalidAud', { idToken: { aud: 'another-client' } }],
    ['MissingIat', { idToken: { iat: undefined } }],
    ['KidAbsentMultipleMatchingKeys', { header: { kid: undefined } }],
    ['IdTokenSigAlgNone', { sign: unsigned }],
    ['InvalidSignature', { sign: byAnother }],
    ['InvalidSubInUserinfo', { idToken: { email: undefined }, userInfo: { sub: 'somebody-else' } }],
    ['NonceInvalid', { idToken: { nonce: 'of-another-request' } }],
  ])('%s is refused', async (_module, lie) => {
    expect(await comeBack(lie)).toMatchObject(refused())
  })

  test.each<[string, Lie]>([
    ['KidAbsentSingleMatchingKey', { header: { alg: 'ES256', kid: undefined } }],
    ['UserinfoBearerHeader', { idToken: { email: undefined } }],
  ])('%s is accepted', async (_module, lie) => {
    expect(await comeBack(lie)).toMatchObject(accepted())
  })
})

describe('an ID token', () => {
  test.each<[string, Lie]>([
    ['that is not there', { token: { id_token: undefined } }],
    ['that is no token', { token: { id_token: 'garbage' } }],
    ['X-04 without a nonce', { idToken: { nonce: undefined } }],
    ['X-04 for another access token', { idToken: { at_hash: halfHash('another-token') } }],
    ['without an end', { idToken: { exp: undefined } }],
    ['that has ended', { idToken: { exp: 1_700_000_000 } }],
    ['for others too', { idToken: { aud: [clientId, 'another-client'] } }],
    ['of a subject of many characters', { person: { sub: 'x'.repeat(256) } }],
    ['of a subject that is a number', { person: { sub: 7 } }],
    ['signed with the secret of the client', { sign: withSecret }],
  ])('%s is refused', async (_what, lie) => {
    expect(await comeBack(lie)).toMatchObject(refused())
  })

  test.each<[string, Lie]>([
    ['for this access token', { idToken: { at_hash: halfHash(accessToken) } }],
    ['for several, one of whom asked', { idToken: { aud: [clientId, 'another-client'], azp: clientId } }],
    ['of a pair of keys of a curve', { header: { alg: 'ES256', kid: 'c' } }],
  ])('%s is accepted', async (_what, lie) => {
    expect(await comeBack(lie)).toMatchObject(accepted())
  })
})

test('X-05 an ID token that a client brings itself is not taken', async () => {
  const json = { provider: 'oidc', idToken: { token: unsigned(person) } }

  const response = await service.request('/api/auth/sign-in/social', { json, headers: { origin: service.baseUrl } })

  expect([response.status, await response.json()]).toMatchObject([404, { code: 'ID_TOKEN_NOT_SUPPORTED' }])
})

test('X-12 a client does not choose what is asked for', async () => {
  const json = { provider: 'oidc', callbackURL: '/', scopes: ['admin'] }

  const response = await service.request('/api/auth/sign-in/social', { json, headers: { origin: service.baseUrl } })

  const { url } = (await response.json()) as { url: string }
  expect(new URL(url).searchParams.get('scope')).toBe('openid email profile')
})

describe('X-14 what is said of a person', () => {
  test.each<[string, unknown]>([
    ['is missing', undefined],
    ['is a list', ['ada@example.com', 'eve@example.com']],
    ['holds NUL', 'ada\u0000@example.com'],
    ['only looks like another', 'аda@example.com'],
    ['is no address', 'ada'],
  ])('is refused when the address %s', async (_what, email) => {
    expect(await comeBack({ person: { email } })).toMatchObject(refused('email_not_found'))
  })

  test.each<[string, object, object]>([
    ['has no name', { name: undefined }, {}],
    ['has a name of many characters', { name: 'x'.repeat(300_000) }, { name: 'x'.repeat(200) }],
    ['has a name with NUL', { name: 'Ada\u0000\nLovelace' }, { name: 'Ada  Lovelace' }],
    ['has a name that is a list', { name: ['Ada'] }, {}],
    ['X-13 has a picture in the network of the service', { picture: 'http://169.254.169.254/' }, { image: null }],
    ['has a text in place of a yes', { email_verified: 'true' }, { email_verified: false }],
  ])('is made fit when it %s', async (_what, change, user) => {
    expect(await comeBack({ person: { ...change } })).toMatchObject(accepted(user))
  })

  test('is not mixed from two answers', async () => {
    const lie = { idToken: { email_verified: undefined }, userInfo: { email: 'other@example.com' } }

    expect(await comeBack(lie)).toMatchObject(accepted({ email: person.email, email_verified: false }))
  })
})

const text = 'text/html'
const broken: [string, RequestListener][] = [
  ['fails', (_incoming, outgoing) => void outgoing.writeHead(500).end()],
  ['hangs up', (_incoming, outgoing) => void outgoing.destroy()],
  [
    'answers with a page',
    (_incoming, outgoing) => void outgoing.writeHead(200, { 'content-type': text }).end('<html>'),
  ],
  ['answers with null', (_incoming, outgoing) => void outgoing.writeHead(200).end('null')],
  ['answers with 100 MB', (_incoming, outgoing) => void outgoing.writeHead(200).end('x'.repeat(1e8))],
  ['never answers', () => {}],
  ['never ends', (_incoming, outgoing) => void outgoing.writeHead(200).write('{')],
  [
    'X-13 leads elsewhere',
    (_incoming, outgoing) => void outgoing.writeHead(307, { location: `${provider.issuer}/elsewhere` }).end(),
  ],
]

describe.each(['/token', '/userinfo'])('X-14, R-38 a provider whose %s', (path) => {
  test.each(broken)('%s signs nobody in', async (_how, listener) => {
    const outcome = await comeBack({ idToken: { email: undefined }, answers: { [path]: listener } })

    expect(outcome.text).toContain('The provider did not answer as it should.')
    expect(outcome).toMatchObject({ at: expect.stringMatching(/^\/error\?/) as string, isSignedIn: false, made: 0 })
    expect(provider.asked).toContain(path)
    expect(provider.asked).not.toContain('/elsewhere')
  })
})
