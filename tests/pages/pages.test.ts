import { describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'
import { createVisitor, newUser, type Sight, signUp, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db } = service

/** The subjects of what was mailed to an address. */
const lettersTo = (email: string) => mailsTo(service, email).map(({ subject }) => subject)

const signedUp = () => signUp(service)

describe('signing up and in', () => {
  test('leads from the start to the account, and back out', async () => {
    const visitor = createVisitor(service)
    expect((await visitor.open('/')).at).toBe('/sign-in')
    const user = newUser()

    const account = await visitor.submit('/sign-up', user)
    expect(account.at).toBe('/account')
    expect(textOf(account)).toContain(user.email)
    expect((await visitor.open('/')).at).toBe('/account')

    const out = await visitor.submit('/sign-out', {})
    expect(textOf(out)).toContain('You are signed out.')
    expect((await visitor.open('/account')).at).toBe('/sign-in')
    const { email, password: secret } = user
    expect((await visitor.submit('/sign-in', { email, password: secret, remember: 'on' })).at).toBe('/account')
  })

  test('says what is wrong beside the field, and keeps what was typed, but for the password', async () => {
    const visitor = createVisitor(service)

    const page = await visitor.submit('/sign-up', { name: 'Ada "<b>"', email: 'ada@example.com', password: 'short' })

    expect(page.html).toContain('id="password-error"')
    expect(page.html).toContain('aria-describedby="password-hint password-error"')
    expect(textOf(page)).toContain('It must have at least 8 characters.')
    expect(page.html).toContain('value="Ada &quot;&lt;b&gt;&quot;"')
    expect(page.html).toContain('value="ada@example.com"')
    expect(page.html).not.toContain('short')
  })

  test('tells all that is wrong with a new account at once, and nothing of who has one', async () => {
    const { email } = await signedUp()
    const wrong = (address: string) =>
      createVisitor(service).submit('/sign-up', { name: 'x'.repeat(201), email: address, password: 'short' })

    const page = await wrong('ada')

    for (const field of ['name', 'email', 'password']) expect(page.html).toContain(`id="${field}-error"`)
    expect(textOf(page)).toContain('It must have 1 to 200 characters.')
    expect(textOf(page)).toContain('It is not an e-mail address.')
    expect(textOf(page)).toContain('It must have at least 8 characters.')
    const [known, unknown] = [await wrong(email), await wrong(`2${email}`)]
    expect(known.html.replace(email, '')).toBe(unknown.html.replace(`2${email}`, ''))
  })

  test('stays on this device only as long as was asked for, also after an error', async () => {
    const visitor = createVisitor(service)
    const fields = { email: 'ada@example.com', password: 'wrong' }
    const isTicked = ({ html }: Sight) => /name="remember" checked/.test(html)

    const pages = [
      await visitor.open('/sign-in'),
      await visitor.submit('/sign-in', fields),
      await visitor.submit('/sign-in', { ...fields, remember: 'on' }),
    ]

    expect(pages.map(isTicked)).toEqual([true, false, true])
  })

  test('does not tell whether an account exists', async () => {
    const { email } = await signedUp()
    const wrong = (address: string) => createVisitor(service).submit('/sign-in', { email: address, password: 'wrong' })

    const known = await wrong(email)
    const unknown = await wrong(`2${email}`)

    expect(textOf(known)).toContain('This e-mail address and password do not belong together.')
    expect(known.html.replace(email, '')).toBe(unknown.html.replace(`2${email}`, ''))
  })

  test.each([
    ['/users?q=a', '/users?q=a'],
    ['https://evil.example/', '/account'],
    ['//evil.example', '/account'],
    ['/\\evil.example', '/account'],
    ['/\t/evil.example', '/account'],
    ['/%2fevil.example', '/account'],
    ['/problems/a%5Cb', '/account'],
    ['javascript:alert(1)', '/account'],
    ['', '/account'],
  ])('leads on to %j, if that is here: %s', async (next, at) => {
    const { visitor, email } = await signedUp()
    await visitor.submit('/sign-out', {})

    const { at: reached } = await visitor.submit('/sign-in', { email, password, next })

    expect(reached).toBe(at)
  })

  test('tells who is banned why, and until when, once their password is right', async () => {
    const { visitor, email } = await signedUp()
    await db
      .updateTable('user')
      .set({ banned: true, ban_reason: 'Spam <3', ban_expires: new Date('2099-01-31T12:00:00Z') })
      .where('email', '=', email)
      .execute()

    const next = await visitor.open('/account')
    expect(next.at).toBe('/sign-in')
    expect(textOf(next)).toContain('Your session has ended.')
    expect(textOf(await visitor.submit('/sign-in', { email, password: 'wrong' }))).not.toContain('banned')
    const page = await visitor.submit('/sign-in', { email, password })
    expect(textOf(page)).toContain('banned until Sat, 31 Jan 2099 12:00:00 GMT. The reason: Spam &lt;3')
  })

  test('tells who is banned for good just that', async () => {
    const { visitor, email } = await signedUp()
    await db.updateTable('user').set({ banned: true }).where('email', '=', email).execute()

    expect(textOf(await visitor.submit('/sign-in', { email, password }))).toContain('This account is banned. ')
  })

  test.each([
    ['access_denied', 'You did not allow it'],
    ['BANNED_USER', 'This account is banned.'],
    ['email_does_not_match', 'This has another e-mail address than your account'],
    ['<script>', 'The provider did not answer as it should.'],
    ['constructor', 'The provider did not answer as it should.'],
  ])('that ended with the code %s says what to do', async (code, text) => {
    const page = await createVisitor(service).open(`/error?${new URLSearchParams({ error: code }).toString()}`)

    expect(textOf(page)).toContain(text)
    expect(page.html).not.toContain('<script>')
  })

  test('is not offered where it is closed', async () => {
    const closed = await startService({ env: { SIGN_UP: 'closed' } })
    onTestFinished(closed.stop)
    const visitor = createVisitor(closed)

    expect((await visitor.open('/sign-in')).html).not.toContain('/sign-up')
    expect((await visitor.open('/sign-up')).status).toBe(404)
    expect(textOf(await visitor.submit('/sign-up', newUser()))).toContain('New accounts are made by an administrator')
  })
})

describe('a password', () => {
  test('that was forgotten is set anew by the mailed link, once', async () => {
    const { visitor, email } = await signedUp()
    const other = createVisitor(service)

    const sent = await other.submit('/forgot-password', { email })
    expect(textOf(sent)).toContain('If there is an account with this address')
    const token = mailedToken(service, email)
    const page = await other.open(`/reset-password?token=${token}`)
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    expect(textOf(await other.submit('/reset-password', { token, newPassword: 'short' }))).toContain(
      'at least 8 characters',
    )
    expect((await other.open(`/reset-password?token=${token}`)).html).toContain('name="newPassword"')
    const done = await other.submit('/reset-password', { token, newPassword: 'a password of mine' })
    expect(textOf(done)).toContain('Your new password is set.')
    expect(lettersTo(email)).toContain('Your password was changed')

    expect((await visitor.open('/account')).at).toBe('/sign-in')
    expect((await other.submit('/sign-in', { email, password: 'a password of mine' })).at).toBe('/account')
    expect(textOf(await other.submit('/reset-password', { token, newPassword: 'another of mine' }))).toContain(
      'This link',
    )
    for (const path of [`/reset-password?token=${token}`, `/reset-password?token=${'x'.repeat(200)}`]) {
      const dead = await other.open(path)
      expect(textOf(dead)).toContain('was used already, or has expired.')
      expect(dead.html).not.toContain('name="newPassword"')
    }
  })

  test('looks the same for an address that nobody has', async () => {
    const visitor = createVisitor(service)
    const { email } = await signedUp()

    const [known, unknown] = [
      await visitor.submit('/forgot-password', { email }),
      await visitor.submit('/forgot-password', { email: `2${email}` }),
    ]

    expect(known.html).toBe(unknown.html)
  })

  test('is changed with the current one, and ends the other sessions', async () => {
    const { visitor, email } = await signedUp()
    const elsewhere = createVisitor(service)
    await elsewhere.submit('/sign-in', { email, password })

    const wrong = await visitor.submit('/account/password', {
      currentPassword: 'wrong',
      newPassword: 'a password of mine',
    })
    expect(textOf(wrong)).toContain('This is not your password.')
    const unusable = { currentPassword: password, newPassword: 'a password\u0007of mine' }
    expect(textOf(await visitor.submit('/account/password', unusable))).toContain('holds no control characters')
    const changed = { currentPassword: password, newPassword: 'a password of mine' }
    expect((await visitor.submit('/account/password', changed)).at).toBe('/account?notice=password')
    expect(lettersTo(email)).toEqual(['Your password was changed'])

    expect((await elsewhere.open('/account')).at).toBe('/sign-in')
    expect((await visitor.open('/account')).at).toBe('/account')
  })
})
