import { describe, expect, test } from 'vitest'
import { ProblemError } from '../../src/http/problem.ts'
import type { Answer } from '../../src/pages/calls.ts'
import type { PageDependencies } from '../../src/pages/dependencies.ts'
import { pagesWith, refused, user } from '../support/page-answers.ts'

// What the pages make of what the two APIs answer, of which a part is seldom, as of a session that ends meanwhile.

describe('the consent page', () => {
  const query = 'redirect_uri=https://app.example/cb&sig=x'
  const decide = (answer: Partial<Answer>) =>
    pagesWith({ 'oauth2/consent': answer, '/auth/me': { body: user } }).submit('/consent', {
      oauth_query: query,
      user: 'u',
      decision: 'allow',
    })

  test('names an application without a page of its own just so', async () => {
    const { html } = await pagesWith({}, { isSignedIn: true }).open(`/consent?${query}`)

    expect(html).toContain('<p>An application would like to sign you in')
  })

  test('tells what can be tried again from what cannot', async () => {
    expect((await decide(refused(401))).to).toBe(`/sign-in?${query}`)
    expect((await decide(refused(400))).html).toBe('malformed-request')
    expect((await decide(refused(500))).html).toBe('dependency-unavailable')
  })
})

describe('the page of the first administrator', () => {
  const account = { token: 'good', name: 'Ada', email: 'ada@example.com', password: 'a password of mine' }
  const setup = (complete?: () => Promise<void>) => ({
    isOpen: () => Promise.resolve(true),
    isGood: (token: string) => Promise.resolve(token === 'good'),
    ...(complete && { complete }),
  })
  const opened = (query: string) =>
    pagesWith({}, { setup: setup() as unknown as PageDependencies['setup'] }).open(`/setup${query}`)

  test('says where the link is, or that it is over, or neither', async () => {
    const [where, over] = ['Open the link that the service has written', 'This link was used already']
    const says = async (query: string) => {
      const { html } = await opened(query)
      return [html.includes(where), html.includes(over), html.includes('<form')]
    }

    expect(await says('')).toEqual([true, false, false])
    expect(await says('?token=old')).toEqual([false, true, false])
    expect(await says('?token=good')).toEqual([false, false, true])
  })

  test.each<[Error, number, string]>([
    [new ProblemError('conflict', 'The address is taken.'), 200, 'The address is taken.'],
    [new ProblemError('internal'), 500, 'internal'],
    [new Error('a secret of the database'), 500, 'unknown'],
  ])('shows what can be mended beside the form, and no failure of ours (%s)', async (error, status, says) => {
    const pages = pagesWith({}, { setup: setup(() => Promise.reject(error)) as unknown as PageDependencies['setup'] })

    expect(await pages.submit('/setup', account)).toMatchObject({ status, html: expect.stringContaining(says) })
  })
})

describe('a mailed link', () => {
  test('to set a password is not called bad while that cannot be told', async () => {
    const html = async (answer: Partial<Answer>) =>
      (await pagesWith({ 'reset-password/check': answer }).open('/reset-password?token=x')).html
    const [bad, form] = ['has expired', 'name="newPassword"']

    const good = await html({ body: { status: true } })
    expect([good.includes(bad), good.includes(form)]).toEqual([false, true])
    for (const over of [await html({ body: { status: false } }), await html(refused(400))]) {
      expect([over.includes(bad), over.includes(form)]).toEqual([true, false])
    }
    expect(await html(refused(503))).toContain(form)
  })

  test('to confirm an address may be tried again where that helps', async () => {
    const { html } = await pagesWith({ 'auth/verify-email': refused(500) }).submit('/verify-email', { token: 'x' })
    expect(html).toContain('action="/verify-email"')
    const changed = refused(409, 'PASSWORD_CHANGED')
    const again = await pagesWith({ 'auth/verify-email': changed }).submit('/verify-email', { token: 'x' })
    expect(again.html).toContain('action="/verify-email"')
    const over = await pagesWith({ 'auth/verify-email': refused(401) }).submit('/verify-email', { token: 'x' })
    expect(over.html).toContain('action="/verify-email/resend"')
  })

  test('that is of no use leads on to where people wanted to go, unless that is why', async () => {
    const next = '/problems/conflict'
    const keeps = async (code: string, path: string) => {
      const pages = pagesWith({ 'auth/verify-email': refused(401, code), 'verification-email': refused(400, code) })
      return (await pages.submit(path, { token: 'x', next })).html.includes(`name="next" value="${next}"`)
    }

    for (const path of ['/verify-email', '/verify-email/resend']) {
      expect(await keeps('TOKEN_EXPIRED', path)).toBe(true)
      expect(await keeps('INVALID_CALLBACK_URL', path)).toBe(false)
    }
  })

  test('to change an address asks, and leads who is not signed in to do so', async () => {
    const { html } = await pagesWith({}).open('/verify-email?change=x&email=ada%40example.com')
    expect(html).toContain('action="/verify-email/change"')
    const nobody = pagesWith({ 'change-email/confirm': refused(401, 'INVALID_TOKEN') })
    expect((await nobody.submit('/verify-email/change', { change: 'x', email: 'a' })).to).toMatch(/^\/sign-in\?next=/)
  })

  test('asks for a password with the name of a provider as an example, where there is one', async () => {
    const needed = { 'auth/verify-email': refused(401, 'PASSWORD_NEEDED') }
    const providers = [{ id: 'github', name: 'GitHub' }] as unknown as PageDependencies['providers']

    const some = await pagesWith(needed, { providers }).submit('/verify-email', { token: 'x' })
    expect(some.html).toContain('added to it, such as GitHub, is removed')
    const none = await pagesWith(needed).submit('/verify-email', { token: 'x' })
    expect(none.html).toContain('added to it is removed')
  })
})

test('the page of what did not work leads back to the account from what was to be added to it', async () => {
  const back = async (query: string) => (await pagesWith({}).open(`/error?error=access_denied${query}`)).html

  expect(await back('&adding')).toContain('href="/account"')
  expect(await back('')).not.toContain('href="/account"')
})
