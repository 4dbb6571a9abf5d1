import { SignJWT } from 'jose'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startService, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisitor, newUser, type Sight, textOf } from '../support/visitor.ts'

// Who confirms an address with a password, in another browser than that of the sign-up.

const query = vi.spyOn(pg.Client.prototype, 'query')
const { mails, url } = await startMailServer()
const mail = { SMTP_URL: url, MAIL_FROM: 'auth@example.com' }
const service = await startServiceForFile({ env: mail })
const { db } = service
const { password: passwords } = await service.services.auth.$context

/** Somebody who has signed up, and the token that they were mailed. */
async function signUp() {
  const [visitor, user] = [createVisitor(service), newUser()]
  await visitor.submit('/sign-up', user)
  const token = () =>
    mails
      .filter(({ to }) => to.includes(user.email))
      .map(({ content }) => /\/verify-email\?token=(\S+)/.exec(content)?.[1])
      .at(0)
  await expect.poll(token, { timeout: 5_000 }).toBeDefined()
  return { visitor, user, token: token() ?? '' }
}

async function confirm(json: { token: string; password: string }): Promise<[number, unknown]> {
  const response = await service.request('/api/auth/verify-email', { json, headers: { origin: service.baseUrl } })
  return [response.status, await response.json()]
}

const stateOf = (email: string) =>
  db
    .selectFrom('account')
    .innerJoin('user', 'user.id', 'account.user_id')
    .select(['email_verified', 'password'])
    .where('email', '=', email)
    .executeTakeFirstOrThrow()

const confirmed = '/sign-in?notice=verified'
const another = 'another password'

describe('while a password is computed', () => {
  test.each([
    ['of the sign-up', undefined, ['verify']],
    ['that is new', another, ['verify', 'hash']],
  ])('one %s holds no transaction', async (_which, given, expected) => {
    const { user, token } = await signUp()
    const computed: string[] = []
    for (const name of ['verify', 'hash'] as const) {
      const original = passwords[name] as (input: unknown) => Promise<never>
      const spy = vi.spyOn(passwords, name).mockImplementation((input: unknown) => {
        computed.push(name)
        return original(input)
      })
      onTestFinished(() => spy.mockRestore())
    }
    query.mockClear()

    const answer = await confirm({ token, password: given ?? user.password })

    expect([answer, computed]).toEqual([[200, { status: true }], expected])
    const begins = query.mock.invocationCallOrder.filter((_, i) =>
      /^(begin|start)/i.test(String(query.mock.calls[i]?.[0])),
    )
    const calls = [vi.mocked(passwords.verify), vi.mocked(passwords.hash)].flatMap(
      (spy) => spy.mock.invocationCallOrder,
    )
    expect(begins).toHaveLength(1)
    expect(Math.max(...calls)).toBeLessThan(begins[0] ?? 0)
  })

  test.each([
    ['ends the link', 0, [400, { code: 'INVALID_TOKEN' }]],
    ['stays where the link is dated ahead by a clock', 60, [409, { code: 'PASSWORD_CHANGED' }]],
  ])('a password that is changed meanwhile %s, and the address is not confirmed', async (_, aheadSeconds, refusal) => {
    const { user } = await signUp()
    const claims = new SignJWT({ email: user.email }).setProtectedHeader({ alg: 'HS256' })
    const { secret } = await service.services.auth.$context
    const iat = Math.floor(Date.now() / 1_000) + aheadSeconds
    const token = await claims.setIssuedAt(iat).setExpirationTime('1h').sign(Buffer.from(secret))
    const { verify } = passwords
    const spy = vi.spyOn(passwords, 'verify').mockImplementation(async (given) => {
      const ids = db.selectFrom('user').select('id').where('email', '=', user.email)
      await db.updateTable('account').set({ password: 'changed' }).where('user_id', 'in', ids).execute()
      return verify(given)
    })
    onTestFinished(() => spy.mockRestore())

    expect(await confirm({ token, password: another })).toMatchObject(refusal)

    expect(await stateOf(user.email)).toEqual({ email_verified: false, password: 'changed' })
  })
})

describe('the page that asks for a password', () => {
  const tokenIn = ({ html }: Sight) => /name="token" value="([^"]*)"/.exec(html)?.[1]

  test('says what a new one replaces', async () => {
    const { token } = await signUp()

    const sight = await createVisitor(service).submit('/verify-email', { token })
    const page = textOf(sight)

    expect(page).toContain('With the password that was chosen there, if one was, all of it stays as it is.')
    // The program that keeps passwords is to offer that one, and none of its own making.
    expect(sight.html).toMatch(/<input id="password"[^>]* autocomplete="current-password"/)
    // Without a provider there is nobody who came with one.
    expect(page).not.toContain('If you came with')
    expect(page).toContain('every other way to sign in that was added to it is removed')
  })

  /** Makes the database be down for what is computed meanwhile. */
  function breakDown(): void {
    const error = Object.assign(new Error('the database goes'), { severity: 'FATAL', code: '57P01' })
    const spy = vi.spyOn(passwords, 'verify').mockRejectedValueOnce(error)
    onTestFinished(() => spy.mockRestore())
  }

  test('can be sent again when the database was down', async () => {
    const { user, token } = await signUp()
    const phone = createVisitor(service)
    breakDown()

    const page = await phone.submit('/verify-email', { token, next: '/welcome', password: user.password })

    expect(textOf(page)).toContain('This does not work right now.')
    expect([tokenIn(page), page.html.includes('id="password"')]).toEqual([token, true])
    expect(page.html).toContain('name="next" value="/welcome"')
    expect((await phone.submit('/verify-email', { token, password: user.password })).at).toBe(confirmed)
  })

  test.each<[string, string, Record<string, string>]>([
    ['/verify-email', '/verify-email', { token: 'x' }],
    ['/verify-email', '/verify-email', { token: 'x', password: another }],
    ['/verify-email/change', '/change-email/confirm', { change: 'x', email: 'ada@example.com' }],
  ])('%s can be sent again after too many attempts', async (page, path, fields) => {
    const limited = await startService({ env: { ...mail, RATE_LIMIT: '60' } })
    onTestFinished(limited.stop)
    const row = { id: 'x', key: `127.0.0.1|${path}`, count: 10_000, last_request: Date.now() + 5_000 }
    await limited.db.insertInto('rate_limit').values(row).execute()

    const { html } = await createVisitor(limited).submit(page, fields)

    expect(html).toContain('Too many attempts.')
    expect(html.includes('id="password"')).toBe('password' in fields)
    const { password: _none, ...kept } = fields
    for (const [name, value] of Object.entries(kept)) expect(html).toContain(`name="${name}" value="${value}"`)
  })

  test('says when the password did not count, because the address was confirmed meanwhile', async () => {
    const { visitor, user, token } = await signUp()
    const phone = createVisitor(service)
    await phone.submit('/verify-email', { token })
    expect((await visitor.submit('/verify-email', { token })).at).toBe(confirmed)

    const page = await phone.submit('/verify-email', { token, password: another, next: '/welcome' })

    expect(textOf(page)).toContain('so the password that you have just given was not used')
    expect(page.html).toContain('href="/sign-in?notice=verified&amp;next=%2Fwelcome"')
    expect((await phone.submit('/sign-in', { ...user, password: another })).at).toBe('/sign-in')
    expect((await phone.submit('/sign-in', user)).at).toBe('/account')
    // Who gives none is where they wanted to be.
    expect((await phone.submit('/verify-email', { token })).at).toBe(confirmed)
  })

  test('says so as well when that was while it was computed', async () => {
    const { user, token } = await signUp()
    const { verify } = passwords
    const spy = vi.spyOn(passwords, 'verify').mockImplementation(async (given) => {
      await db.updateTable('user').set({ email_verified: true }).where('email', '=', user.email).execute()
      return verify(given)
    })
    onTestFinished(() => spy.mockRestore())
    const { password: before } = await stateOf(user.email)

    expect(await confirm({ token, password: another })).toMatchObject([400, { code: 'EMAIL_ALREADY_VERIFIED' }])

    expect(await stateOf(user.email)).toEqual({ email_verified: true, password: before })
  })
})
