import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { base64url, SignJWT } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { createTestDatabase, password, secret, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'
import { providerEnv } from '../support/provider-env.ts'
import { createVisitor, signUp, type Visitor } from '../support/visitor.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db, request, baseUrl } = service
const { createMember } = await createDoors(service)
const sessionCookie = service.services.sessionCookies.name

const ask = (path: string, json: object) => request(`/api/auth${path}`, { json, headers: { origin: baseUrl } })

/** Goes to a provider; returns the state with which it leads back. */
async function leave(visitor: Visitor, provider: string): Promise<string> {
  const { at } = await visitor.submit('/sign-in/social', { provider })
  return new URL(at).searchParams.get('state') ?? ''
}

describe.each(['google', 'github'])('X-01 coming back from %s', (provider) => {
  test.each<[string, (state: string) => string, string]>([
    ['without a state', () => 'code=x', 'state_not_found'],
    ['with an empty state', () => 'code=x&state=', 'state_not_found'],
    ['with two states', (state) => `code=x&state=${state}&state=${'x'.repeat(32)}`, 'invalid_callback_request'],
    ['without a code', (state) => `state=${state}`, 'no_code'],
  ])('%s signs nobody in', async (_what, query, error) => {
    const visitor = createVisitor(service)
    const state = await leave(visitor, provider)

    const sight = await visitor.open(`/api/auth/callback/${provider}?${query(state)}`)

    expect(sight.at).toBe(`/error?error=${error}`)
    expect(visitor.cookies.has(sessionCookie)).toBe(false)
  })

  test('with a form leads to the same checks', async () => {
    const visitor = createVisitor(service)
    await leave(visitor, provider)

    const sight = await visitor.submit(`/api/auth/callback/${provider}`, { code: 'x', state: 'x'.repeat(32) })

    expect(sight.at).toBe('/error?error=state_mismatch')
    expect(visitor.cookies.has(sessionCookie)).toBe(false)
  })
})

describe('X-10 the link to a new address', () => {
  const another = () => `${randomUUID()}@example.com`

  /** Asks for another address; returns what its link holds. */
  async function askFor(visitor: Visitor, newEmail: string) {
    await visitor.submit('/account/email', { newEmail, password })
    return { change: mailedToken(service, newEmail), email: newEmail }
  }

  const emailsOf = (...emails: string[]) =>
    db.selectFrom('user').select('email').where('email', 'in', emails).orderBy('email').execute()

  test('does nothing to whoever has got the old address since', async () => {
    const { visitor: attacker, email } = await signUp(service)
    const taken = another()
    const link = await askFor(attacker, taken)
    await attacker.submit('/account/delete', { password })
    const victim = createVisitor(service)
    await victim.submit('/sign-up', { name: 'Victim', email, password })

    for (const visitor of [attacker, createVisitor(service), victim]) {
      await visitor.open(`/verify-email?${new URLSearchParams(link).toString()}`)
      const { at } = await visitor.submit('/verify-email/change', link)
      expect(at).not.toBe('/account?notice=email-changed')
    }

    expect(attacker.cookies.has(sessionCookie)).toBe(false)
    expect(await emailsOf(email, taken)).toEqual([{ email }])
  })

  test('is good for its owner only, in a session, and once', async () => {
    const { visitor, email } = await signUp(service)
    const other = await signUp(service)
    const newEmail = another()
    const link = await askFor(visitor, newEmail)

    for (const stranger of [createVisitor(service), other.visitor]) {
      await stranger.submit('/verify-email/change', link)
      expect(await emailsOf(email, newEmail)).toEqual([{ email }])
    }
    expect((await visitor.submit('/verify-email/change', link)).at).toBe('/account?notice=email-changed')
    await visitor.submit('/account/email', { newEmail: email, password })
    expect((await visitor.submit('/verify-email/change', link)).at).not.toBe('/account?notice=email-changed')
  })
})

describe('X-11 a mailed token', () => {
  const claims = (email: string, change: object = {}) => {
    const iat = Math.floor(Date.now() / 1_000)
    return { email, iat, exp: iat + 3_600, ...change }
  }
  const key = (value: string) => new TextEncoder().encode(value)
  const signed = (given: object, alg = 'HS256', value = secret) =>
    new SignJWT({ ...given }).setProtectedHeader({ alg }).sign(key(value))
  const segment = (value: object) => base64url.encode(JSON.stringify(value))

  test.each<[string, (email: string) => Promise<string> | string]>([
    ['that nobody has signed', (email) => `${segment({ alg: 'none' })}.${segment(claims(email))}.`],
    ['signed with another secret', (email) => signed(claims(email), 'HS256', 'another secret of 32 characters!')],
    ['that has ended', (email) => signed(claims(email, { exp: 1_700_000_000 }))],
    ['for a reset', (email) => resetToken(email)],
    ['that is a session JWT', async () => (await service.createSignedIn()).token],
  ])('%s verifies no address', async (_what, make) => {
    const { email, id } = await service.createUser({ emailVerified: false })

    const token = await make(email)
    const response = await ask('/verify-email', { token, password })

    expect(response.status).toBe(400)
    expect(response.headers.getSetCookie()).toEqual([])
    const row = await db.selectFrom('user').select('email_verified').where('id', '=', id).executeTakeFirst()
    expect(row).toEqual({ email_verified: false })
  })

  test('verifies the address when it is good, and signs nobody in', async () => {
    const { email, id } = await service.createUser({ emailVerified: false })

    const response = await ask('/verify-email', { token: await signed(claims(email)), password })

    expect(response.status).toBe(200)
    expect(response.headers.getSetCookie().join()).not.toContain('session_token=')
    const row = await db.selectFrom('user').select('email_verified').where('id', '=', id).executeTakeFirst()
    expect(row).toEqual({ email_verified: true })
  })

  async function resetToken(email: string): Promise<string> {
    await ask('/request-password-reset', { email })
    await expect.poll(() => mailedToken(service, email)).not.toBe('')
    return mailedToken(service, email)
  }

  test.each<[string, (email: string) => Promise<string>]>([
    ['for a verification', (email) => signed(claims(email))],
    ['that is a state', async () => leave(createVisitor(service), 'google')],
  ])('%s resets no password', async (_what, make) => {
    const { email } = await createMember()

    expect((await ask('/reset-password', { token: await make(email), newPassword: 'of an attacker' })).status).toBe(400)
    expect((await ask('/sign-in/email', { email, password })).status).toBe(200)
  })

  test('resets the password once, for one of five at the same time', async () => {
    const { email } = await createMember()
    const token = await resetToken(email)

    const passwords = Array.from({ length: 5 }, (_, i) => `a new password ${i}`)
    const statuses = await Promise.all(
      passwords.map(async (newPassword) => (await ask('/reset-password', { token, newPassword })).status),
    )

    expect(statuses.toSorted()).toEqual([200, 400, 400, 400, 400])
    const winner = passwords[statuses.indexOf(200)]
    expect((await ask('/sign-in/email', { email, password: winner })).status).toBe(200)
  })
})

test('X-15 a provider that is configured no more ends what was begun with it', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const before = await startService({ env: providerEnv, database })
  const visitor = createVisitor(before)
  const state = await leave(visitor, 'google')
  await before.stop()
  const after = await startService({ database })
  onTestFinished(() => after.stop())

  const later = createVisitor(after)
  for (const [name, value] of visitor.cookies) later.cookies.set(name, value)
  const sight = await later.open(`/api/auth/callback/google?code=x&state=${state}`)

  expect(sight.at).toBe('/error?error=oauth_provider_not_found')
  expect(later.cookies.has(sessionCookie)).toBe(false)
})

describe('X-16 a request that names another host', () => {
  const evil = 'evil.example'
  const kinds: [string, string, Record<string, string>][] = [
    ['in Host', '', { host: evil }],
    ['in X-Forwarded-Host', '', { 'x-forwarded-host': evil, 'x-forwarded-proto': 'https' }],
    ['in Forwarded', '', { forwarded: `host=${evil}` }],
    ['in its target', `http://${evil}`, {}],
  ]

  /** A request that `fetch` would not make. */
  async function raw(path: string, json: object, headers: Record<string, string>): Promise<string> {
    const given = { origin: baseUrl, 'content-type': 'application/json', ...headers }
    const { hostname, port } = new URL(service.url)
    const outgoing = httpRequest({ hostname, port, path, method: 'POST', agent: false, headers: given })
    outgoing.end(JSON.stringify(json))
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    return `${incoming.statusCode} ${JSON.stringify(incoming.headers)} ${await text(incoming)}`
  }

  test.each(kinds)('%s is not led there by a provider', async (_where, target, headers) => {
    const answer = await raw(`${target}/api/auth/sign-in/social`, { provider: 'google', callbackURL: '/' }, headers)

    expect(answer).toMatch(/^200 /)
    expect(answer).toContain(encodeURIComponent(`${baseUrl}/api/auth/callback/google`))
    expect(answer).not.toContain(evil)
  })

  test.each(kinds)('%s is not mailed a link to there', async (_where, target, headers) => {
    const { email } = await service.createUser({ emailVerified: false })

    for (const path of ['request-password-reset', 'send-verification-email']) {
      const answer = await raw(`${target}/api/auth/${path}`, { email }, headers)
      expect(answer).toMatch(/^200 /)
      expect(answer).not.toContain(evil)
    }

    await expect.poll(() => mailsTo(service, email).length).toBe(2)
    for (const { text: words } of mailsTo(service, email)) {
      expect(words).toContain(`${baseUrl}/`)
      expect(words).not.toContain(evil)
    }
  })
})
