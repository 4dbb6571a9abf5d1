import { describe, expect, test } from 'vitest'
import { type Given, pagesWith, refused, user } from '../support/page-answers.ts'

// What the pages make of what the two APIs answer, of which a part is seldom, as of a session that ends meanwhile.

describe('the page to sign in', () => {
  test('says nothing to who comes for the first time, and that a session is over to who had one', async () => {
    const over = 'Your session has ended.'
    const first = await pagesWith({}).open('/sign-in')
    expect(first.html).not.toContain('class="notice')
    expect((await pagesWith({}).open('/sign-in', { cookie: 'session=x' })).html).toContain(over)
    const signedIn = pagesWith({}, { isSignedIn: true })
    const asked = await signedIn.open('/sign-in?notice=verified', { cookie: 'session=x' })
    expect([asked.html.includes('is confirmed'), asked.html.includes(over)]).toEqual([true, false])
    const led = await signedIn.open('/sign-in?redirect_uri=https://app.example/cb&sig=x', { cookie: 'session=x' })
    expect([led.html.includes('to go on to An application'), led.html.includes(over)]).toEqual([true, false])
  })

  test('offers what there is: a new password where mail can be sent, and a new account', async () => {
    const links = async (given: Given) => {
      const { html } = await pagesWith({}, given).open('/sign-in?next=/problems/conflict')
      return [...html.matchAll(/<a href="(\/[a-z][^"]*)"/g)].map(([, href]) => href)
    }

    expect(await links({})).toEqual(['/forgot-password', '/sign-up?next=%2Fproblems%2Fconflict'])
    expect(await links({ canSendMail: false, signUpOpen: false })).toEqual([])
  })

  test('names the application, and keeps its request on the way to another page', async () => {
    const pages = pagesWith({ 'public-client-prelogin': { body: { client_name: 'Weather' } } }, { isSignedIn: true })
    const query = 'redirect_uri=https://app.example/cb&sig=x'

    const [signIn, signUp] = [await pages.open(`/sign-in?${query}`), await pages.open(`/sign-up?${query}`)]

    expect(signIn.html).toContain('to go on to Weather')
    expect(signIn.html).toContain(`href="/sign-up?${query.replace('&', '&amp;')}"`)
    expect(signUp.html).toContain(`href="/sign-in?${query.replace('&', '&amp;')}"`)
    expect((await pagesWith({}).open('/sign-in')).html).not.toContain('to go on to')
  })

  test.each([
    [{ remember: 'on' }, true],
    [{}, false],
  ])('asks for a session that lasts as %j says', async (fields, rememberMe) => {
    const pages = pagesWith({})

    await pages.submit('/sign-in', fields)

    expect(pages.asked).toEqual([['POST', '/api/auth/sign-in/email', expect.objectContaining({ rememberMe })]])
  })

  test('speaks of an address that is not confirmed only where one must be, and of a wrong password only', async () => {
    const says = async (code: string, confirmsAddresses: boolean) =>
      (await pagesWith({ 'sign-in/email': refused(401, code) }, { confirmsAddresses }).submit('/sign-in')).html
    const hint = 'or the address is not confirmed yet'

    expect(await says('INVALID_EMAIL_OR_PASSWORD', true)).toContain(hint)
    expect(await says('INVALID_EMAIL_OR_PASSWORD', false)).not.toContain(hint)
    expect(await says('OVERLOADED', true)).not.toContain(hint)
  })
})

describe('the page to sign up', () => {
  const account = { name: 'Ada', email: 'ada@example.com', password: 'a password of mine' }

  test('tells all that is wrong before anything is asked', async () => {
    const pages = pagesWith({})

    const { html } = await pages.submit('/sign-up', { name: ' ', email: 'ada', password: 'short' })

    for (const field of ['name', 'email', 'password']) expect(html).toContain(`id="${field}-error"`)
    expect(pages.asked).toEqual([])
  })

  test('leads on with the request of an application, or to where people wanted to go', async () => {
    const body = { token: 't', url: 'https://app.example/cb?code=1' }
    const pages = pagesWith({ 'sign-up/email': { body } })
    const led = await pages.submit('/sign-up', { ...account, oauth_query: 'sig=x' })
    expect(led.html).toContain('https://app.example/cb?code=1')
    expect((await pages.submit('/sign-up', { ...account, next: '/problems/conflict' })).to).toBe('/problems/conflict')
  })

  test('keeps where people want to go', async () => {
    const { html } = await pagesWith({}).open('/sign-up?next=/problems/conflict')

    expect(html).toContain('name="next" value="/problems/conflict"')
    expect(html).toContain('href="/sign-in?next=%2Fproblems%2Fconflict"')
  })
})

describe('the page to sign out', () => {
  test('leads to the sign-in once somebody is nobody any more, and asks no more of them', async () => {
    expect((await pagesWith({}).submit('/sign-out')).to).toBe('/sign-in?notice=signed-out')
    const over = pagesWith({ 'auth/sign-out': refused(500), '/auth/me': refused(401) })
    expect((await over.submit('/sign-out')).to).toBe('/sign-in?notice=signed-out')
  })

  test('never says that somebody is signed out who is not, or may not be', async () => {
    const fails = { 'auth/sign-out': refused(503, 'DEPENDENCY_UNAVAILABLE') }
    const asked = await pagesWith({ ...fails, '/auth/me': { body: user } }).submit('/sign-out')
    expect([asked.to, asked.html]).toEqual([null, expect.stringContaining('This does not work right now.')])
    expect(asked.html).toContain('ada@example.com')
    const unknown = await pagesWith({ ...fails, '/auth/me': refused(503) }).submit('/sign-out')
    expect([unknown.status, unknown.html]).toEqual([503, 'dependency-unavailable'])
  })
})

describe('the account', () => {
  test.each([
    [refused(401), 303, '/sign-in'],
    [refused(404), 303, '/sign-in'],
    [refused(503), 503, null],
    [refused(500), 500, null],
  ])('that cannot be shown (%j) is no page of errors where signing in helps', async (answer, status, to) => {
    expect(await pagesWith({ '/auth/session': answer }, { isSignedIn: true }).open('/account')).toMatchObject({
      status,
      to,
    })
  })

  test('tells what was done, and nothing else', async () => {
    const pages = pagesWith({}, { isSignedIn: true })

    expect((await pages.open('/account?notice=profile')).html).toContain('Your name is saved.')
    expect((await pages.open('/account')).html).not.toContain('class="notice')
  })

  test('tells the end of one session from that of all others, and of none', async () => {
    const pages = pagesWith({})
    expect((await pages.submit('/account/sessions', { id: 'x' })).to).toBe('/account?notice=sessions')
    expect((await pages.submit('/account/sessions')).to).toBe('/account?notice=other-sessions')
    const failing = await pagesWith({ 'keepCurrent=true': refused(403, 'forbidden') }).submit('/account/sessions')
    expect([failing.to, failing.html]).toEqual([null, expect.stringContaining('You may not do this.')])
  })

  test('says beside which password of a change the fault is', async () => {
    const errorsAt = async (code: string) => {
      const { html } = await pagesWith({ 'change-password': refused(400, code) }).submit('/account/password')
      return [...html.matchAll(/id="[^"]*?(\w+)-error"/g)].map(([, field]) => field)
    }

    expect(await errorsAt('INVALID_PASSWORD')).toEqual(['currentPassword'])
    expect(await errorsAt('PASSWORD_TOO_SHORT')).toEqual(['newPassword'])
    expect(await errorsAt('UNUSABLE_PASSWORD')).toEqual(['newPassword'])
  })
})
