import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { type RequestOptions, type SignedIn, secret, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service

interface Line {
  msg: string
  level: number
  requestId?: string
  method?: string
  route?: string | null
  status?: number
  durationMs?: number
  principal?: string | null
  event?: string
  code?: string
  mail?: { to: string; text: string }
}

const lines = () => service.logLines().map((line) => JSON.parse(line) as Line)
const canary = (name: string) => `canary-${name}-${randomUUID()}`
const origin = { origin: service.baseUrl }

interface Sent {
  id: string
  status: number
  method: string
  /** Who asked, where the test says so. */
  principal: { principal?: string | null }
}
const sent: Sent[] = []

/** Sends a request and notes what its line in the log must say. At `/api/auth` who asks may be known by the answer only. */
async function send(path: string, options: RequestOptions = {}, asked: string | null = null): Promise<Response> {
  const response = await service.request(path, { ...options, headers: { ...origin, ...options.headers } })
  const method = options.method ?? (options.json === undefined ? 'GET' : 'POST')
  const principal = path.startsWith('/api/auth/') ? {} : { principal: asked }
  sent.push({ id: response.headers.get('x-request-id') ?? '', status: response.status, method, principal })
  return response
}

/** The line of a request, once it is written. */
async function lineOf(response: Response): Promise<Line> {
  const id = response.headers.get('x-request-id')
  const find = () => lines().filter(({ requestId, msg }) => requestId === id && msg === 'request')
  await expect.poll(() => find().length).toBe(1)
  const [line] = find()
  if (!line) throw new Error('there is no line')
  return line
}

/** A path, how it is asked for, and the route and the principal that its line names. */
type Case = [string, RequestOptions, string | null, string | null]

/** A form of a page, as a browser sends it. */
function form(fields: Record<string, string>, cookie?: string): RequestOptions {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', headers, body: new URLSearchParams(fields).toString(), ...(cookie && { cookie }) }
}

test('each request has one line, with the pattern of its route and who asked', async () => {
  const ada = await service.createSignedIn()
  const cases: Case[] = [
    [`/api/v1/users/${ada.id}?token=x`, { token: ada.token }, '/api/v1/users/:id', ada.id],
    ['/api/v1/auth/me', { cookie: ada.cookie }, '/api/v1/auth/me', ada.id],
    ['/api/v1/auth/me', {}, '/api/v1/auth/me', null],
    [
      `/api/v1/users/${ada.id}/sessions/x`,
      { token: ada.token, method: 'DELETE' },
      '/api/v1/users/:id/sessions/:sid',
      ada.id,
    ],
    ['/api/auth/list-accounts', { cookie: ada.cookie }, '/api/auth/list-accounts', ada.id],
    ['/api/auth/admin/list-users', { cookie: ada.cookie }, '/api/auth/admin/list-users', ada.id],
    ['/api/auth/get-session', {}, '/api/auth/get-session', null],
    ['/problems/internal', {}, '/problems/:slug', null],
    ['/health', {}, '/health', null],
    // The patterns of these are covered by others.
    ...[
      '/api/auth/jwks',
      '/api/auth/.well-known/openid-configuration',
      '/api/v1/docs',
      '/api/v1/docs/scalar.js',
      '/api/v1/docs/signed-in',
      '/api/v1/openapi.json',
      '/api/v1/openapi-auth.json',
    ].map((path): Case => [path, {}, path, null]),
    // Pages that ask both APIs.
    ['/account', { cookie: ada.cookie }, '/account', ada.id],
    ['/account/sessions', form({ id: 'x' }, ada.cookie), '/account/sessions', ada.id],
    ['/account/password', form({}, ada.cookie), '/account/password', ada.id],
    ['/sign-in', form({ email: 'nobody@example.com' }), '/sign-in', null],
    ['/api/v1/nowhere', {}, null, null],
    ['/health', { method: 'DELETE' }, null, null],
  ]
  for (const [path, options, route, principal] of cases) {
    const response = await send(path, options)
    const line = await lineOf(response)

    expect(line).toMatchObject({ method: options.method ?? 'GET', route, status: response.status, principal })
    expect(line.durationMs).toBeGreaterThan(0)
    expect(JSON.stringify(line)).not.toMatch(/"(url|path|headers|query|body)"/)
  }
})

test('a path that is nowhere is not logged, for it may hold a token', async () => {
  const token = canary('path')
  for (const path of [
    `/${token}`,
    `/api/v1/${token}`,
    `/api/auth/reset-password/${token}`,
    `/api/auth/x?token=${token}`,
  ]) {
    const line = await lineOf(await send(path))
    expect(line.method).toBe('GET')
  }
  expect(service.logLines().join('\n')).not.toContain(token)
})

test('sign-ins are logged, the failed ones with the reason and without the address', async () => {
  const email = `${randomUUID()}@example.com`
  const json = { email, name: 'Ada', password: 'a good password' }
  const since = service.logLines().length
  await send('/api/auth/sign-up/email', { json })
  await send('/api/auth/sign-in/email', { json })
  await send('/api/auth/sign-in/email', { json: { ...json, password: 'wrong password' } })
  await send('/api/auth/sign-in/email', { json: { ...json, email: 'nobody@example.com' } })

  const events = lines()
    .slice(since)
    .filter(({ msg }) => msg !== 'request')
  expect(events.map(({ event, level }) => [event, level])).toEqual([
    ['sign-in', 30],
    ['sign-in', 30],
    ['sign-in-failed', 40],
    ['sign-in-failed', 40],
  ])
  expect(events[2]).toMatchObject({ code: 'INVALID_EMAIL_OR_PASSWORD', address: '127.0.0.1' })
  expect(JSON.stringify(events)).not.toContain(email)
})

/** Everything that a user and an admin do, with secrets that can be told from anything else. */
async function drive() {
  const email = `${canary('mail')}@example.com`
  const passwords = [canary('password'), canary('wrong'), canary('reset'), canary('changed')] as const
  const [password, wrong, reset, changed] = passwords
  const cookieOf = (response: Response) =>
    response.headers
      .getSetCookie()
      .find((value) => value.includes('session_token'))
      ?.split(';')[0] ?? ''

  const signedUp = await send('/api/auth/sign-up/email', { json: { email, name: 'Ada', password } })
  const { token: sessionToken, user } = (await signedUp.json()) as { token: string; user: { id: string } }
  const cookies = [cookieOf(signedUp)]
  await send('/api/auth/sign-in/email', { json: { email, password: wrong } })
  await send('/api/auth/sign-up/email', { json: { email, name: 'Eve', password: wrong } })
  const { token: jwt } = (await (await send('/api/auth/token', { cookie: cookies[0] ?? '' })).json()) as {
    token: string
  }
  await send('/api/v1/auth/me', { token: jwt }, user.id)
  await send('/api/v1/auth/verify', { token: jwt, json: { token: `${jwt}x` } }, user.id)
  await send('/api/v1/auth/me', { token: `${jwt.slice(0, -4)}AAAA` })
  await send('/api/v1/auth/me', { headers: { authorization: `Basic ${canary('basic')}` } })
  await send(`/api/v1/users?token=${canary('query')}&q=${email}`, { token: jwt }, user.id)
  await send(`/api/v1/users/${canary('id')}?token=${jwt}`)
  await send('/api/auth/verify-email', { json: { token: jwt } })
  await send(`/api/auth/reset-password/${canary('link')}?callbackURL=/x`)
  await send('/api/auth/send-verification-email', { json: { email } })

  await send('/api/auth/request-password-reset', { json: { email } })
  const mailed = () =>
    lines().find(({ mail }) => mail?.to === email && mail.text.includes('reset-password?token='))?.mail?.text
  await expect.poll(mailed).toBeDefined()
  const resetToken = /token=([\w-]+)/.exec(mailed() ?? '')?.[1] ?? ''
  await send('/api/auth/reset-password', { json: { token: resetToken, newPassword: reset } })
  await send('/api/auth/reset-password', { json: { token: resetToken, newPassword: reset } })
  const again = await send('/api/auth/sign-in/email', { json: { email, password: reset } })
  cookies.push(cookieOf(again))
  const change = { currentPassword: reset, newPassword: changed }
  const other = await send('/api/auth/change-password', { json: change, cookie: cookies[1] ?? '' })
  cookies.push(cookieOf(other))
  return { email, user, sessionToken, jwt, resetToken, cookies, passwords }
}

/** Makes the first admin with the link of the log; returns the link's token. */
async function driveSetup(): Promise<string> {
  const links = lines().flatMap(({ msg }) => /\/setup\?token=([\w-]+)/.exec(msg)?.[1] ?? [])
  expect(links).toHaveLength(1)
  const [token = ''] = links
  const admin = { email: `${canary('first')}@example.com`, name: 'Ada', password: canary('first') }
  await service.request(`/setup?token=${token}`)
  const { headers, ...options } = form({ token, ...admin })
  const response = await service.request('/setup', { ...options, headers: { ...headers, ...origin } })
  expect(response.headers.get('location')).toBe('/account')
  return token
}

async function driveAdmin(userId: string): Promise<{ admin: SignedIn; password: string; email: string }> {
  const admin = await service.createSignedIn('admin')
  const [password, email] = [canary('created'), `${canary('created')}@example.com`]
  const by = (path: string, options: RequestOptions) =>
    send(`/api/v1${path}`, { ...options, token: admin.token }, admin.id)
  await by('/users', { json: { email, name: 'Bob', password } })
  await by('/users', { json: { email, name: 'Bob', password } })
  await by(`/users/${userId}`, { method: 'PATCH', json: { email: `new-${email}` } })
  await by(`/users/${userId}/role`, { method: 'PUT', json: { role: 'moderator' } })
  await by(`/users/${userId}/ban`, { method: 'POST', json: { reason: canary('reason') } })
  await by(`/users/${userId}/sessions`, { method: 'DELETE' })

  // A query that fails: every answer of this kind is the same 500.
  await sql`alter table account rename to account_elsewhere`.execute(db)
  const failed = await by(`/users/${userId}/accounts`, {})
  const signIn = await send('/api/auth/sign-in/email', { json: { email, password } })
  await sql`alter table account_elsewhere rename to account`.execute(db)
  expect([failed.status, signIn.status]).toEqual([500, 500])
  expect(await failed.text()).not.toMatch(/relation|account_elsewhere|select/i)

  await by(`/users/${userId}`, { method: 'DELETE' })
  return { admin, password, email }
}

test('no line of a whole story holds a secret or an address, but for the mails and the link shown on purpose', async () => {
  const since = service.logLines().length
  sent.length = 0
  const setupToken = await driveSetup()
  const story = await drive()
  const { admin, password, email } = await driveAdmin(story.user.id)
  const secrets = [story.sessionToken, story.jwt, story.resetToken, setupToken, admin.token, password, secret]
  for (const cookie of [...story.cookies, admin.cookie])
    secrets.push(cookie, decodeURIComponent(cookie.split('=')[1] ?? ''))
  secrets.push(story.jwt.split('.')[2] ?? '', ...story.passwords, 'canary-', 'Bearer ey', 'session_token=')
  expect(secrets.filter((value) => value.length < 5)).toEqual([])
  const requests = () =>
    lines()
      .slice(since)
      .filter(({ msg }) => msg === 'request')
  await expect.poll(() => requests().length).toBeGreaterThanOrEqual(sent.length)

  const written = service.logLines().slice(since)
  const mails = written.filter((line) => (JSON.parse(line) as Line).mail)
  const rest = written.filter((line) => !mails.includes(line))
  for (const value of [...secrets, story.email, admin.email, email]) expect(rest.join('\n')).not.toContain(value)
  expect(rest.join('\n')).not.toContain('@example.com')
  for (const value of secrets.filter((one) => one !== story.resetToken && one !== 'canary-')) {
    expect(mails.join('\n')).not.toContain(value)
  }

  for (const { id, status, method, principal } of sent) {
    const own = requests().filter(({ requestId }) => requestId === id)
    expect(own).toEqual([expect.objectContaining({ method, status, ...principal }) as Line])
  }
  expect(written.join('\n')).toContain('relation')
})
