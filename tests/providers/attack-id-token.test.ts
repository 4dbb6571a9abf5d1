import { randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { base64url, type CryptoKey, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, secret } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { providerEnv } from '../support/provider-env.ts'
import { buildService, startProgram } from '../support/service-process.ts'
import { makeCertificate } from '../support/standins/certificates.ts'
import { halfHash } from '../support/standins/half-hash.ts'
import { openPage } from '../support/standins/open-page.ts'
import { providerNames, startStandIns } from '../support/standins/providers.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { newUser } from '../support/visitor.ts'

const root = buildService()
const folder = mkdtempSync(join(tmpdir(), 'latchkey-id-token-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const certificate = makeCertificate(folder, providerNames)
const standIns = await startStandIns(certificate)
afterAll(standIns.close)
const { env: database, remove } = await createTestDatabase()
afterAll(remove)
const { url: mailUrl } = await startMailServer()
const port = await freePort()
const origin = `http://localhost:${port}`

let stop = () => Promise.resolve()
// Here: a test cannot ask for what is to be done after all of them.
afterAll(() => stop())

// A process of its own: only at its start can it be told to trust the certificate of the stand-in.
test('the service starts', async () => {
  const settings = {
    ...database,
    ...providerEnv,
    PORT: String(port),
    BETTER_AUTH_URL: origin,
    BETTER_AUTH_SECRET: secret,
    RATE_LIMIT: '0',
    SMTP_URL: mailUrl,
    MAIL_FROM: 'auth@example.com',
    NODE_EXTRA_CA_CERTS: certificate.authority,
    NODE_OPTIONS: `--import=${pathToFileURL('tests/support/standins/preload.mjs').href}`,
    STANDIN_NAMES: providerNames.join(','),
    STANDIN_PORT: String(standIns.port),
  }
  const service = startProgram([process.execPath, join(root, 'dist/src/main.js')], settings, folder, (end) => {
    stop = end
  })

  expect(await service.ready()).toBe(origin)
})

beforeEach(() => {
  standIns.claims = {}
  standIns.idToken = undefined
  standIns.person = { id: String(randomInt(1e9)), email: `${randomUUID()}@example.com`, isVerified: true }
})

const now = () => Math.floor(Date.now() / 1_000)

/** What Google states of somebody who signs in to this service; what is undefined is left out. */
const claims = (change: Record<string, unknown> = {}) => ({
  iss: 'https://accounts.google.com',
  aud: providerEnv.GOOGLE_CLIENT_ID,
  sub: randomUUID(),
  iat: now(),
  exp: now() + 300,
  email: `${randomUUID()}@example.com`,
  email_verified: true,
  ...change,
})

const header = { alg: 'RS256', kid: 'standin' }
const signed = (given: object, head = header, key: CryptoKey | Uint8Array = standIns.googleKey) =>
  new SignJWT({ ...given }).setProtectedHeader(head).sign(key)
const segment = (value: object) => base64url.encode(JSON.stringify(value))

function post(path: string, json: object): Promise<Response> {
  return fetch(`${origin}/api/auth${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify(json),
  })
}

async function signInWith(token: string, path = '/sign-in/social') {
  const response = await post(path, { provider: 'google', idToken: { token } })
  return { status: response.status, cookies: response.headers.getSetCookie().join(), body: await response.json() }
}

/** An answer with the length of its cookie in place of what it holds. */
const shapeOf = ({ cookies, ...answer }: Awaited<ReturnType<typeof signInWith>>) => ({
  ...answer,
  cookies: cookies.replace(/(?<==)[\da-f]+(?=;)/, ({ length }) => `${length} of hex`),
})

describe('X-05 an ID token that a client brings', () => {
  test.each<[string, Parameters<typeof claims>[0]]>([
    ['for this service', {}],
    ['for this service, named in a list', { aud: [providerEnv.GOOGLE_CLIENT_ID] }],
    [
      'for others too, and to this service',
      { aud: [providerEnv.GOOGLE_CLIENT_ID, 'x'], azp: providerEnv.GOOGLE_CLIENT_ID },
    ],
    ['with what an application of its own has asked for', { nonce: 'a-nonce', at_hash: halfHash('an access token') }],
    ['for a subject of 255 characters', { sub: randomUUID().padEnd(255, 'x') }],
  ])('is taken when Google has issued it %s', async (_what, change) => {
    const { status, cookies } = await signInWith(await signed(claims(change)))

    expect(status).toBe(200)
    expect(cookies).toContain('session_token=')
  })

  test.each<[string, () => Promise<string> | string]>([
    ['that nobody has signed', () => `${segment({ alg: 'none' })}.${segment(claims())}.`],
    [
      'signed with the secret of the client',
      () => signed(claims(), { ...header, alg: 'HS256' }, new TextEncoder().encode(providerEnv.GOOGLE_CLIENT_SECRET)),
    ],
    ['signed by another', async () => signed(claims(), header, (await generateKeyPair('RS256')).privateKey)],
    ['signed with a key that is not known', () => signed(claims(), { ...header, kid: 'another' })],
    ['of another issuer', () => signed(claims({ iss: 'https://accounts.google.com.evil.example' }))],
    ['for another client', () => signed(claims({ aud: 'another-client' }))],
    ['for others too', () => signed(claims({ aud: [providerEnv.GOOGLE_CLIENT_ID, 'another-client'] }))],
    ['without an end', () => signed(claims({ exp: undefined }))],
    ['that has ended', () => signed(claims({ exp: now() - 60 }))],
    ['of a minute ahead', () => signed(claims({ iat: now() + 60 }))],
    ['without a time of issue', () => signed(claims({ iat: undefined }))],
    ['of two hours ago', () => signed(claims({ iat: now() - 7_200, exp: now() + 7_200 }))],
    ['without a subject', () => signed(claims({ sub: undefined }))],
    ['with a blank subject', () => signed(claims({ sub: ' ' }))],
    ['with a subject of 256 characters', () => signed(claims({ sub: randomUUID().padEnd(256, 'x') }))],
  ])('is refused %s', async (_what, make) => {
    const { status, cookies } = await signInWith(await make())

    expect(status).toBe(401)
    expect(cookies).not.toContain('session_token=')
  })

  test('does not tell whether anybody has the address, unless Google has verified it', async () => {
    const { email, ...user } = newUser()
    expect((await post('/sign-up/email', { email, ...user })).status).toBe(200)

    const [hers, nobodys] = [claims({ email, email_verified: false }), claims({ email_verified: false })]
    const known = await signInWith(await signed(hers))
    const answers = [known]
    for (const given of [hers, nobodys, nobodys]) answers.push(await signInWith(await signed(given)))

    expect(known).toMatchObject({ status: 403, body: { code: 'EMAIL_NOT_VERIFIED' } })
    // It lets a click confirm an address that is theirs.
    expect(shapeOf(known).cookies).toMatch(
      /^better-auth\.unconfirmed=\d+ of hex; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    for (const answer of answers) expect(shapeOf(answer)).toEqual(shapeOf(known))
    // Each is new, although it may hold the same.
    expect(new Set(answers.map(({ cookies }) => cookies)).size).toBe(4)
    const verified = await signInWith(await signed({ ...hers, email_verified: true }))
    expect(verified).toMatchObject({ status: 401, body: { code: 'OAUTH_LINK_ERROR' } })
  })

  test('adds nothing to an account in a session of nobody', async () => {
    expect((await signInWith(await signed(claims()), '/link-social')).status).toBe(401)
  })
})

/** Signs in at a provider, and comes back: where that leads, and with which cookies. */
async function visit(provider: string) {
  const begun = await post('/sign-in/social', { provider, callbackURL: '/account' })
  const { url } = (await begun.json()) as { url: string }
  const [, back = ''] = /href="([^"]+)"/.exec(await openPage(new URL(url), standIns.port, certificate)) ?? []
  const cookie = begun.headers.getSetCookie().map((value) => value.split(';')[0])
  const response = await fetch(back.replaceAll('&amp;', '&'), {
    redirect: 'manual',
    headers: { cookie: cookie.join('; ') },
  })
  return { at: response.headers.get('location') ?? '', cookies: response.headers.getSetCookie().join() }
}

describe('X-04 an ID token that Google hands over', () => {
  test('is taken when it is the answer to this sign-in', async () => {
    const { at, cookies } = await visit('google')

    expect(at).toBe('/account')
    expect(cookies).toContain('session_token=')
  })

  test.each<[string, Record<string, unknown>]>([
    ['without a nonce', { nonce: undefined }],
    ['with another nonce', { nonce: 'another' }],
    ['for another access token', { at_hash: halfHash('another') }],
    ['of another issuer', { iss: 'https://accounts.google.com.evil.example' }],
    ['for another client', { aud: 'another-client' }],
    ['for others too', { aud: [providerEnv.GOOGLE_CLIENT_ID, 'another-client'] }],
    ['without an end', { exp: undefined }],
    ['that has ended', { exp: now() - 60 }],
    ['of a minute ahead', { iat: now() + 60 }],
    ['without a time of issue', { iat: undefined }],
    ['of two hours ago', { iat: now() - 7_200, exp: now() + 7_200 }],
    ['without a subject', { sub: undefined }],
    ['with a blank subject', { sub: ' ' }],
  ])('is refused %s', async (_what, change) => {
    standIns.claims = change

    const { at, cookies } = await visit('google')

    expect(at).toMatch(/^\/error\?error=unable_to_get_user_info/)
    expect(cookies).not.toContain('session_token=')
  })

  test('has mostly ended when what is on file of somebody is looked at', async () => {
    const exp = now()
    standIns.claims = { exp }
    const { cookies } = await visit('google')
    const [cookie = ''] = /[\w.-]*session_token=[^;]+/.exec(cookies) ?? []
    const ask = async (path: string) => (await fetch(`${origin}/api/auth${path}`, { headers: { cookie } })).json()
    const [{ id } = { id: '' }] = (await ask('/list-accounts')) as { id: string }[]
    await expect.poll(now, { timeout: 10_000 }).toBeGreaterThan(exp + 5)

    expect(await ask(`/account-info?accountId=${id}`)).toMatchObject({ user: { email: standIns.person.email } })
  })

  test('is taken when the clock of Google is ahead', async () => {
    standIns.claims = { iat: now() + 3 }

    expect((await visit('google')).at).toBe('/account')
  })

  test.each<[string, (given: object) => Promise<string> | string]>([
    ['that nobody has signed', (given) => `${segment({ alg: 'none' })}.${segment(given)}.`],
    [
      'signed with the secret of the client',
      (given) => signed(given, { ...header, alg: 'HS256' }, new TextEncoder().encode(providerEnv.GOOGLE_CLIENT_SECRET)),
    ],
    ['signed by another', async (given) => signed(given, header, (await generateKeyPair('RS256')).privateKey)],
    ['signed with a key that is not known', (given) => signed(given, { ...header, kid: 'another' })],
    ['that is none', () => 'garbage'],
  ])('is refused %s', async (_what, make) => {
    standIns.idToken = make

    const { at, cookies } = await visit('google')

    expect(at).toMatch(/^\/error\?error=unable_to_get_user_info/)
    expect(cookies).not.toContain('session_token=')
  })

  test('is checked with keys that are asked for once', async () => {
    await visit('google')
    standIns.asked.length = 0

    expect((await visit('google')).at).toBe('/account')

    expect(standIns.asked).toEqual(['accounts.google.com/o/oauth2/v2/auth', 'oauth2.googleapis.com/token'])
  })
})

// Here because these need the stand-ins.
test.each([
  ['the name', 'Ada Lovelace'],
  ['the login where there is no name', undefined],
])('of somebody at GitHub %s is taken', async (_what, name) => {
  if (name !== undefined) standIns.person.name = name
  const { cookies } = await visit('github')
  const [cookie = ''] = /[\w.-]*session_token=[^;]+/.exec(cookies) ?? []

  const session = await (await fetch(`${origin}/api/auth/get-session`, { headers: { cookie } })).json()

  expect(session).toMatchObject({ user: { name: name ?? `user-${standIns.person.id}` } })
})

test.each(['google', 'github'])('X-14 a name of a megabyte at %s signs nobody in', async (provider) => {
  standIns.person.name = 'x'.repeat(1_048_576)

  const { at, cookies } = await visit(provider)

  expect(at).toMatch(/^\/error\?error=/)
  expect(cookies).not.toContain('session_token=')
})
