import { randomUUID } from 'node:crypto'
import { base64url, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, secret, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { providerEnv } from '../support/provider-env.ts'
import { createVisitor, signUp, type Visitor } from '../support/visitor.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db, request, baseUrl } = service
const { createMember } = await createDoors(service)
const sessionCookie = service.services.sessionCookies.name

const ask = (path: string, json: object) => request(`/api/auth${path}`, { json, headers: { origin: baseUrl } })

describe('X-10 the link to a new address', () => {
  const another = () => `${randomUUID()}@example.com`

  /** Asks for another address; returns what its link holds. */
  async function askFor(visitor: Visitor, newEmail: string) {
    await visitor.submit('/account/email', { newEmail, password })
    const change = mailedToken(service, newEmail)
    expect(change).not.toBe('')
    return { change, email: newEmail }
  }

  const emailsOf = (...emails: string[]) =>
    db.selectFrom('user').select('email').where('email', 'in', emails).orderBy('email').execute()

  test('does nothing to whoever has got the old address since', async () => {
    const { visitor: attacker, email } = await signUp(service)
    const taken = another()
    const link = await askFor(attacker, taken)
    await attacker.submit('/account/delete', { password })
    const [victim, stranger] = [createVisitor(service), createVisitor(service)]
    await victim.submit('/sign-up', { name: 'Victim', email, password })
    const hers = victim.cookies.get(sessionCookie)

    for (const visitor of [attacker, stranger, victim]) {
      await visitor.open(`/verify-email?${new URLSearchParams(link).toString()}`)
      const { at } = await visitor.submit('/verify-email/change', link)
      expect(at).not.toBe('/account?notice=email-changed')
    }

    for (const visitor of [attacker, stranger]) expect(visitor.cookies.has(sessionCookie)).toBe(false)
    expect(victim.cookies.get(sessionCookie)).toBe(hers)
    expect(await emailsOf(email, taken)).toEqual([{ email }])
    // The link of who still has an account is good.
    const own = await askFor(victim, taken)
    expect((await victim.submit('/verify-email/change', own)).at).toBe('/account?notice=email-changed')
    expect(await emailsOf(email, taken)).toEqual([{ email: taken }])
  })

  test('is good for its owner only, in a session, and once', async () => {
    const { visitor, email } = await signUp(service)
    const other = await signUp(service)
    const newEmail = another()
    const link = await askFor(visitor, newEmail)

    for (const stranger of [createVisitor(service), other.visitor]) {
      const before = stranger.cookies.get(sessionCookie)
      await stranger.submit('/verify-email/change', link)
      expect(stranger.cookies.get(sessionCookie)).toBe(before)
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

    const json = { token: await signed(claims(email)), password }
    const response = await ask('/verify-email', json)

    expect([response.status, (await ask('/verify-email', json)).status]).toEqual([200, 400])
    expect(response.headers.getSetCookie().join()).not.toContain('session_token=')
    const row = await db.selectFrom('user').select('email_verified').where('id', '=', id).executeTakeFirst()
    expect(row).toEqual({ email_verified: true })
  })

  async function resetToken(email: string): Promise<string> {
    const former = mailedToken(service, email)
    await ask('/request-password-reset', { email })
    await expect.poll(() => mailedToken(service, email)).not.toBe(former)
    return mailedToken(service, email)
  }

  async function stateOf(): Promise<string> {
    const { at } = await createVisitor(service).submit('/sign-in/social', { provider: 'google' })
    return new URL(at).searchParams.get('state') ?? ''
  }

  async function changeToken(): Promise<string> {
    const { visitor } = await signUp(service)
    const newEmail = `${randomUUID()}@example.com`
    await visitor.submit('/account/email', { newEmail, password })
    return mailedToken(service, newEmail)
  }

  const reset = async (token: string, newPassword: string) =>
    (await ask('/reset-password', { token, newPassword })).status
  const signIn = async (email: string, given: string) =>
    (await ask('/sign-in/email', { email, password: given })).status

  test.each<[string, (email: string) => Promise<string>]>([
    ['for a verification', (email) => signed(claims(email))],
    ['that is a state', stateOf],
    ['for a new address', changeToken],
  ])('%s resets no password', async (_what, make) => {
    const { email } = await createMember()
    const token = await make(email)
    expect(token).not.toBe('')

    expect(await reset(token, 'of an attacker')).toBe(400)
    expect(await signIn(email, password)).toBe(200)
  })

  test('resets no password once it has ended, which another does, and only once', async () => {
    const { email, id } = await createMember()
    const ended = await resetToken(email)
    const aSecondAgo = new Date(Date.now() - 1_000)
    await db.updateTable('verification').set({ expires_at: aSecondAgo }).where('value', '=', id).execute()

    expect(await reset(ended, 'of an attacker')).toBe(400)
    expect(await signIn(email, password)).toBe(200)

    const good = await resetToken(email)
    expect([await reset(good, 'a new password'), await reset(good, 'of an attacker')]).toEqual([200, 400])
    expect([await signIn(email, 'of an attacker'), await signIn(email, 'a new password')]).toEqual([401, 200])
  })

  test('resets the password once, for one of five at the same time', async () => {
    const { email } = await createMember()
    const token = await resetToken(email)

    const passwords = Array.from({ length: 5 }, (_, i) => `a new password ${i}`)
    const statuses = await Promise.all(passwords.map((newPassword) => reset(token, newPassword)))

    expect(statuses.toSorted()).toEqual([200, 400, 400, 400, 400])
    const winner = passwords[statuses.indexOf(200)]
    expect(await signIn(email, winner ?? '')).toBe(200)
  })
})
