import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { markEmailVerified } from '../../src/auth/auth-transaction.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startService, startServiceForFile, type TestService } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisitor } from '../support/visitor.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'Latchkey <auth@example.com>' } })
const { createMember } = await createDoors(service)

const ask = (of: TestService, path: string, json: object) =>
  of.request(`/api/auth${path}`, { json, headers: { origin: of.baseUrl } })
const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Ada', password })
const mailsTo = (email: string) => mails.filter(({ to }) => to.includes(email))
const subjectOf = ({ content }: { content: string }) => /^Subject: (.*)\r$/m.exec(content)?.[1]

/** Waits for so many mails to an address, and returns the last. */
async function mailTo(email: string, count = 1): Promise<string> {
  await expect.poll(() => mailsTo(email).length, { timeout: 5_000 }).toBe(count)
  return mailsTo(email).at(-1)?.content ?? ''
}

describe('with SMTP_URL', () => {
  test('signing up opens no session before the address is verified by the mailed link', async () => {
    const ada = newUser()
    const signedUp = await ask(service, '/sign-up/email', ada)

    expect(await signedUp.json()).toMatchObject({ token: null, user: { email: ada.email, emailVerified: false } })
    expect(signedUp.headers.getSetCookie().join()).not.toContain('session_token')
    expect((await ask(service, '/sign-in/email', ada)).status).toBe(401)

    const content = await mailTo(ada.email, 2)
    expect(content).toContain('From: Latchkey <auth@example.com>')
    const link = new URL(/http:\/\/\S+verify-email\S+/.exec(content)?.[0] ?? '')
    const visitor = createVisitor(service, signedUp.headers.getSetCookie()[0])
    // Opening the link is not enough: programs that look for harm in a mail do that too.
    expect((await visitor.open(link.pathname + link.search)).status).toBe(200)
    expect((await ask(service, '/sign-in/email', ada)).status).toBe(401)
    const token = link.searchParams.get('token') ?? ''
    expect((await visitor.submit('/verify-email', { token })).at).toBe('/sign-in?notice=verified')

    expect((await ask(service, '/sign-in/email', ada)).status).toBe(200)
  })

  test('signing up with an address that is taken looks the same, and changes nothing', async () => {
    const ada = newUser()
    const first = await ask(service, '/sign-up/email', ada)
    const firstBody = (await first.json()) as { user: Record<string, unknown> }

    const second = await ask(service, '/sign-up/email', { ...ada, name: 'Eve', password: 'a password of Eve' })
    const body = (await second.json()) as { user: Record<string, unknown> }

    expect(second.status).toBe(first.status)
    // To the order of the members: nothing but the values that each user has of their own.
    const shape = ({ user, ...rest }: typeof body) => JSON.stringify({ ...rest, user: { ...user, ...own } })
    const own = { id: '', name: '', createdAt: '', updatedAt: '' }
    expect(shape(body)).toBe(shape(firstBody))
    expect(String(body.user['id'])).toHaveLength(String(firstBody.user['id']).length)
    // What lets this browser confirm an address: with another value, as each sign-up has.
    const kept = (response: Response) => response.headers.getSetCookie().map((cookie) => cookie.replace(/=[^;]*/, ''))
    expect(kept(second)).toEqual(kept(first))
    expect(kept(second).join()).not.toContain('session_token')
    const rows = await service.db.selectFrom('user').select(['id', 'name']).where('email', '=', ada.email).execute()
    expect(rows.map(({ name }) => name)).toEqual(['Ada'])
    expect(rows.map(({ id }) => id)).not.toContain(body.user['id'])
  })

  test.each<[string, object]>([
    ['an empty name', { name: '' }],
    ['a picture that is not on https', { image: 'http://example.com/a.png' }],
  ])('signing up with %s fails alike for an address that is taken', async (_what, change) => {
    const ada = newUser()
    await ask(service, '/sign-up/email', ada)

    for (const given of [ada, newUser()]) {
      expect((await ask(service, '/sign-up/email', { ...given, ...change })).status).toBe(400)
    }
  })

  test('a reset looks the same for an address that is not known, which gets no mail', async () => {
    const ada = await service.createUser()
    const nobody = `${randomUUID()}@example.com`
    const answers = await Promise.all(
      [ada.email, nobody].map(async (email) => {
        const response = await ask(service, '/request-password-reset', { email })
        return [response.status, await response.text()]
      }),
    )

    expect(answers[0]).toEqual(answers[1])
    await mailTo(ada.email)
    expect(mailsTo(nobody)).toEqual([])
  })

  test('a reset asked for from a page leads back to it with a token that works', async () => {
    const ada = await service.createUser()
    const page = `${service.baseUrl}/choose`
    expect((await ask(service, '/request-password-reset', { email: ada.email, redirectTo: page })).status).toBe(200)

    const link = new URL(/http:\/\/\S+reset-password\S+/.exec(await mailTo(ada.email))?.[0] ?? '')
    const response = await service.request(link.pathname + link.search)
    const back = new URL(response.headers.get('location') ?? '')
    expect(`${back.origin}${back.pathname}`).toBe(page)
    const token = back.searchParams.get('token')
    expect((await ask(service, '/reset-password', { token, newPassword: 'a password of mine' })).status).toBe(200)
  })

  test('a reset that is rolled back mails nothing, and leaves its link good', async () => {
    const { email } = await service.createUser()
    const reset = async (token: string) =>
      (await ask(service, '/reset-password', { token, newPassword: 'a password of mine' })).status
    const subjects = () => mailsTo(email).map(subjectOf)
    await ask(service, '/request-password-reset', { email })
    const token = /token=([\w-]+)/.exec(await mailTo(email))?.[1] ?? ''
    const [asked, changed] = ['Reset your password', 'Your password was changed']

    // At the commit: by then all that is to be mailed is known.
    await sql`create function refuse() returns trigger language plpgsql
      as $$ begin raise exception 'no'; end $$`.execute(service.db)
    await sql`create constraint trigger refused after insert on account
      deferrable initially deferred for each row execute function refuse()`.execute(service.db)
    expect(await reset(token)).toBe(500)
    await sql`drop function refuse() cascade`.execute(service.db)

    // What had been sent before would be there before this one.
    await ask(service, '/request-password-reset', { email })
    await mailTo(email, 2)
    expect(subjects()).toEqual([asked, asked])
    expect(await reset(token)).toBe(200)
    await mailTo(email, 3)
    expect(subjects()).toEqual([asked, asked, changed])
  })

  test('a password that is changed is told of, and none that is not', async () => {
    const [ada, eve] = [await createMember(), await service.createSignedIn()]
    const change = async (currentPassword: string, { cookie }: SignedIn = ada) => {
      const json = { currentPassword, newPassword: 'a password of mine' }
      return (await service.request('/api/auth/change-password', { cookie, json })).status
    }

    expect((await service.request('/api/auth/list-accounts', { cookie: ada.cookie })).status).toBe(200)
    expect(await change('not this one')).toBe(400)
    // Who has none has none to change.
    expect(await change('any', eve)).toBe(400)
    expect(await change(password)).toBe(200)
    // What had been sent before would be there before this one.
    for (const { email } of [ada, eve]) await ask(service, '/request-password-reset', { email })
    await Promise.all([mailTo(ada.email, 2), mailTo(eve.email)])
    expect(mailsTo(ada.email).map(subjectOf)).toEqual(['Your password was changed', 'Reset your password'])
    expect(mailsTo(eve.email).map(subjectOf)).toEqual(['Reset your password'])
  })

  test('an invitation is mailed, and its token sets the password', async () => {
    const admin = await service.createSignedIn('admin')
    const { password: _none, ...given } = newUser()
    await bodyOf(await service.request('/api/v1/users', { token: admin.token, json: given }), WireUser, 201)

    const token = /token=([\w-]+)/.exec(await mailTo(given.email))?.[1]
    expect((await ask(service, '/reset-password', { token, newPassword: 'a password of mine' })).status).toBe(200)
    expect((await ask(service, '/sign-in/email', { ...given, password: 'a password of mine' })).status).toBe(200)
  })

  test('nothing of a mail is logged', async () => {
    const ada = await service.createUser()
    await ask(service, '/request-password-reset', { email: ada.email })
    const token = /"token": "([^"]+)"/.exec(await mailTo(ada.email))?.[1] ?? 'none'

    const log = service.logLines().join('\n')
    for (const part of [token, ada.email, 'SMTP_URL is not set']) expect(log).not.toContain(part)
  })
})

test('without SMTP_URL, away from this machine, mail is said not to be configured', async () => {
  const public_ = await startService({ env: { BETTER_AUTH_URL: 'https://auth.example.com' } })
  onTestFinished(() => public_.stop())
  const [admin, ada] = [await public_.createSignedIn('admin'), await public_.createUser()]

  for (const path of ['/request-password-reset', '/send-verification-email']) {
    for (const email of [ada.email, 'nobody@example.com']) {
      const response = await ask(public_, path, { email })
      expect([response.status, await response.json()]).toMatchObject([501, { code: 'MAIL_NOT_CONFIGURED' }])
    }
  }
  const { password: _none, ...json } = newUser()
  const invitation = await public_.request('/api/v1/users', { token: admin.token, json })
  expect(await problemOf(invitation)).toEqual(invalidAt('/password'))
  expect(await public_.db.selectFrom('user').select('id').where('email', '=', json.email).execute()).toEqual([])
  const made = await public_.request('/api/v1/users', { token: admin.token, json: newUser() })
  expect(made.status).toBe(201)
  expect((await ask(public_, '/sign-up/email', newUser())).status).toBe(200)
  expect(public_.logLines().filter((line) => line.includes('"mail":{') || line.includes('password?token='))).toEqual([])
  expect(await public_.db.selectFrom('verification').selectAll().execute()).toEqual([])
})

test('an address is marked as verified within a transaction only', async () => {
  await expect(markEmailVerified('any')).rejects.toThrow('There is no transaction under way')
})
