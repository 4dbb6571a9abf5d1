import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { password, type RequestOptions, secret, startService, startServiceForFile } from '../support/harness.ts'
import { assertTellsNoSecret, createLogWatch } from '../support/leaks.ts'
import { providerEnv } from '../support/provider-env.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db, request, baseUrl } = service
const { auth, createMember, open } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const hash = `${'0a'.repeat(16)}:${'0b'.repeat(64)}`

// The harness looks through every answer and every line of the whole suite: here is what it finds.
describe('I-01 an answer of any test', () => {
  const tells = (body: unknown, path = '/api/v1/users') =>
    assertTellsNoSecret(path, Response.json(body)).then(() => 'nothing', String)

  test.each([
    [{ data: [{ user: { password: null } }] }, 'data.0.user.password'],
    [{ user: { passwordHash: 'x' } }, 'user.passwordHash'],
    [{ data: [[{ salt: 'x' }]] }, 'data.0.0.salt'],
    [{ access_token: 'x' }, 'access_token'],
    [{ account: { refreshToken: 'x', idToken: 'y' } }, 'account.refreshToken, account.idToken'],
    [{ client: { Secret: 'x' } }, 'client.Secret'],
    [{ detail: '{"privateKey": "x"}' }, '(in a text)'],
    [{ name: hash }, 'a password hash'],
  ])('fails it with %j', async (body, told) => {
    expect(await tells(body)).toContain(told)
    expect(await tells(body)).toContain('I-01 /api/v1/users')
  })

  test.each([
    ['a password hash', `<p>${hash}</p>`],
    ['a session cookie', `<p>${admin.cookie}</p>`],
    ['a JWT', `<a href="/x?token=${admin.token}">here</a>`],
    ['the value of a password', '<input type="password" name="password" value="hunter2"/>'],
    ['a client secret', '<dt>Client secret</dt><dd><input name="client_secret" value="x"/></dd>'],
    ['JSON with a secret', '<script type="application/json">{"refreshToken":"x"}</script>'],
  ])('fails it with a page that holds %s', async (_what, page) => {
    const told = (html: string) => {
      const headers = { 'content-type': 'text/html; charset=utf-8' }
      return assertTellsNoSecret('/account', new Response(html, { headers })).then(() => 'nothing', String)
    }
    expect(await told(`<!doctype html>${page}`)).toContain('I-01 /account answers with')
    expect(await told('<!doctype html><input type="password" name="password" value=""/>')).toBe('nothing')
  })

  test('does not where it is what was asked for', async () => {
    expect(await tells({ access_token: 'x' }, '/api/auth/oauth2/token')).toBe('nothing')
    expect(await tells({ access_token: 'x' }, '/api/auth/oauth2/token/x')).toContain('access_token')
    expect(await tells({ client: { access_token: 'x' } }, '/api/auth/oauth2/token')).toContain('client.access_token')
    expect(await tells({ id: 'x', hashtag: 'y', passwordSet: true, errors: [{ pointer: '/password' }] })).toBe(
      'nothing',
    )
  })

  test('is left for the test to read', async () => {
    const response = Response.json({ data: 1 })
    await assertTellsNoSecret('/', response)
    expect(await response.json()).toEqual({ data: 1 })
  })
})

describe('I-07 a line of any log', () => {
  const { token, cookie } = admin
  const lineWith = (text: string) => JSON.stringify({ level: 30, msg: `said ${text} here` })

  test.each([
    ['a password', password],
    ['our secret', secret],
    ['a JWT', token],
    ['a session cookie', cookie],
    ['a session token', decodeURIComponent(cookie.split('=')[1] ?? '').split('.')[0] ?? ''],
    ['a password hash', hash],
    ['the header of a request', 'authorization: Bearer eyJ'],
  ])('fails the file with %s', (_what, text) => {
    const watch = createLogWatch(password, secret)
    for (const held of [token, cookie.slice(cookie.indexOf('=') + 1)]) watch.know(held)

    expect(() => watch.assertClean([lineWith('nothing'), lineWith(text)])).toThrow('I-07 the log holds a secret')
    expect(() => watch.assertClean([lineWith('nothing'), lineWith(randomUUID())])).not.toThrow()
  })
})

describe('I-05 what fails here', () => {
  const inside =
    /relation|elsewhere|select |insert |constraint|column|syntax|postgres|pglite|kysely|zod|better-?auth|node_modules|\.tsx?\b|\bat \w+.*:\d+|\d+\.\d+\.\d+/i

  const form = (fields: string): RequestOptions => ({
    body: fields,
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: baseUrl },
  })
  const client = 'client_id=x&client_secret=y'
  const authorize = `client_id=x&response_type=code&redirect_uri=${encodeURIComponent('https://a.example/cb')}`

  test.each<[what: string, table: string, path: string, options: RequestOptions, status?: number]>([
    ['/api/v1', 'account', '/api/v1/auth/accounts', { token: admin.token }],
    ['Better-Auth', 'account', '/api/auth/list-accounts', { cookie: admin.cookie }],
    [
      'a sign-in',
      'account',
      '/api/auth/sign-in/email',
      { json: { email: admin.email, password: 'not this one' }, headers: { origin: baseUrl } },
    ],
    ['a page', 'account', '/account', { cookie: admin.cookie, headers: { accept: 'text/html' } }],
    ['a token', 'oauth_client', '/api/auth/oauth2/token', form(`grant_type=client_credentials&${client}`)],
    ['a refresh', 'oauth_client', '/api/auth/oauth2/token', form(`grant_type=refresh_token&refresh_token=z&${client}`)],
    ['an introspection', 'oauth_client', '/api/auth/oauth2/introspect', form(`token=x&${client}`)],
    ['a revocation', 'oauth_client', '/api/auth/oauth2/revoke', form(`token=x&${client}`)],
    ['an authorization', 'oauth_client', `/api/auth/oauth2/authorize?${authorize}`, { cookie: admin.cookie }],
    ['an end of a session', 'oauth_client', '/api/auth/oauth2/end-session?client_id=x', { cookie: admin.cookie }],
    ['what a client is told of a user', 'oauth_access_token', '/api/auth/oauth2/userinfo', { token: 'x'.repeat(32) }],
    ['a provider', 'verification', '/api/auth/callback/google?state=x&code=y', {}, 303],
    [
      'a mailed link',
      'verification',
      '/api/auth/reset-password/check',
      { json: { token: 'x' }, headers: { origin: baseUrl } },
    ],
    // The page shows its form where the link cannot be told to be good.
    ['the page of a mailed link', 'verification', '/reset-password?token=x', { headers: { accept: 'text/html' } }, 200],
  ])('is told without a word of the inside: %s', async (_what, table, path, options, status = 500) => {
    const before = await request(path, options)
    const elsewhere = sql.id(`${table}_elsewhere`)
    await sql`alter table ${sql.id(table)} rename to ${elsewhere}`.execute(db)
    onTestFinished(() => sql`alter table ${elsewhere} rename to ${sql.id(table)}`.execute(db).then(() => undefined))

    const response = await request(path, options)

    expect([before.status < 500, response.status]).toEqual([true, status])
    const text = (await response.text()).replaceAll(/<style.*?<\/style>|<head.*?<\/head>/gs, '')
    const headers = [...response.headers].filter(([name]) => name !== 'date').join('\n')
    expect(text.replaceAll(/[\da-f-]{36}/g, '')).not.toMatch(inside)
    expect(response.headers.get('location') ?? '').not.toMatch(inside)
    expect(headers).not.toContain(table)
    expect(service.logLines().join('\n')).toContain(`"${table}\\`)
  })

  test.each<[string, string, RequestOptions, number]>([
    ['a body that does not fit', '/api/v1/users', { token: admin.token, json: { email: 1, name: [], role: {} } }, 422],
    [
      'a body that is none',
      '/api/v1/users',
      { token: admin.token, body: '{', method: 'POST', headers: { 'content-type': 'application/json' } },
      400,
    ],
    ['what is there', '/api/v1/users', { token: admin.token, json: { email: admin.email, name: 'A' } }, 409],
    ['the last admin', '/api/auth/delete-user', { cookie: admin.cookie, json: {} }, 409],
    [
      'a body that does not fit, at Better-Auth',
      '/api/auth/sign-in/email',
      { json: { email: 1 }, headers: { origin: baseUrl } },
      400,
    ],
  ])('is not told where it is the caller who is wrong: %s', async (_what, path, options, status) => {
    const response = await request(path, options)

    expect(response.status).toBe(status)
    expect((await response.text()).replaceAll(/[\da-f-]{36}/g, '')).not.toMatch(inside)
  })
})

test('I-06 nothing tells what the service is made of, or where it stands', async () => {
  const url = 'https://auth.example.com'
  const elsewhere = await startService({ env: { BETTER_AUTH_URL: url } })
  onTestFinished(() => elsewhere.stop())

  for (const path of ['/api/v1/openapi.json', '/api/v1/openapi-auth.json', '/health', '/nothing', '/sign-in']) {
    const response = await elsewhere.request(path)
    const { headers } = response
    for (const name of ['server', 'x-powered-by', 'via', 'x-runtime', 'x-served-by'])
      expect(headers.has(name)).toBe(false)
    const text = await response.text()
    // Examples, the licence, and where a service is by default.
    const known = /^https?:\/\/((\w+\.)*example\.(com|org)|opensource\.org|localhost:3000)$/
    const hosts = [...text.matchAll(/https?:\/\/[\w.:[\]-]+/g)].map(([host]) => host)
    expect([path, hosts.filter((host) => host !== url && !known.test(host))]).toEqual([path, []])
    for (const told of [
      elsewhere.url,
      '127.0.0.1:',
      String(elsewhere.env['DATA_DIR'] ?? elsewhere.env['DATABASE_URL']),
    ])
      expect(text).not.toContain(told)
  }
})

test.each(['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "';alert(1)//", 'javascript:alert(1)'])(
  'I-08 the page of an error shows %s as text, if at all, and runs nothing',
  async (code) => {
    const query = new URLSearchParams({ error: code, error_description: code, adding: code }).toString()
    for (const path of ['/error', '/api/auth/error']) {
      const first = await request(`${path}?${query}`, { headers: { accept: 'text/html' } })
      const at = new URL(first.headers.get('location') ?? `${path}?${query}`, baseUrl)
      expect(at.origin).toBe(baseUrl)
      const response = await request(at.href.slice(baseUrl.length), { headers: { accept: 'text/html' } })
      expect([path, response.status]).toEqual([path, 200])
      const policy = response.headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(/default-src 'none'/)
      expect(policy).not.toMatch(/script-src[^;]*'unsafe-inline'/)
      const html = await response.text()
      expect(html).not.toContain(code)
      expect(html).not.toMatch(/<script|onerror=/)
    }
  },
)

describe('I-17 a token says of its user no more than it must', () => {
  const claims = (token: string) => Object.keys(decodeJwt(token)).toSorted()
  const ofSession = ['aud', 'email', 'exp', 'iat', 'iss', 'jti', 'role', 'sid', 'sub']

  test('a session JWT', async () => {
    const user = await createMember()
    const values = { image: 'https://example.com/a.png', ban_reason: 'none of anybody’s business' }
    await db.updateTable('user').set(values).where('id', '=', user.id).execute()

    expect(claims((await open(user.cookie)).token)).toEqual(ofSession)
  })

  test('that of who is impersonated, who acts as them in addition', async () => {
    const [actor, user] = [await createMember('admin'), await createMember()]
    const acting = await open(sessionCookieIn(await auth(actor, '/admin/impersonate-user', { userId: user.id })))

    expect(claims(acting.token)).toEqual(['act', ...ofSession].toSorted())
  })

  test('an access token of a client, only who and for what', async () => {
    const client = createBareClient(service, await registerClient(service))
    const { access_token } = await client.tokensFor(await service.createSignedIn())

    expect(claims(access_token)).toEqual(['aud', 'azp', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sid', 'sub'])
  })
})
