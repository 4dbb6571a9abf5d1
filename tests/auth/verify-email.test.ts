import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisitor, newUser, textOf } from '../support/visitor.ts'

const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })

const subjectsFor = (email: string) =>
  mails.filter(({ to }) => to.includes(email)).map(({ content }) => /Subject: (.*)\r/.exec(content)?.[1])

/** The fields of the links to confirm an address that were mailed to it, once there are so many. */
async function linksFor(email: string, count: number): Promise<{ token: string; next?: string }[]> {
  const links = () =>
    mails
      .filter(({ to }) => to.includes(email))
      .flatMap(({ content }) => /http:\S+\/verify-email\?(token=\S+)/.exec(content)?.[1] ?? [])
  await expect.poll(() => links().length, { timeout: 5_000 }).toBe(count)
  return links().map((query) => Object.fromEntries(new URLSearchParams(query)) as { token: string })
}

/** Somebody who has signed up, and the link that they were mailed. */
async function signUp() {
  const [visitor, user] = [createVisitor(service), newUser()]
  await visitor.submit('/sign-up', user)
  const [link = { token: '' }] = await linksFor(user.email, 1)
  return { visitor, user, link }
}

async function resetTokenFor(email: string): Promise<string> {
  const letter = () => mails.find(({ to, content }) => to.includes(email) && content.includes('/reset-password?'))
  await expect.poll(letter).toBeDefined()
  return /reset-password\?token=([\w-]+)/.exec(letter()?.content ?? '')?.[1] ?? ''
}

const confirmed = '/sign-in?notice=verified'

async function linkProvider(email: string) {
  const user = service.db.selectFrom('user').select('id').where('email', '=', email)
  const { id } = await user.executeTakeFirstOrThrow()
  await linkAccount(service.db, id)
}

const waysOf = async (email: string) =>
  (
    await service.db
      .selectFrom('account')
      .innerJoin('user', 'user.id', 'account.user_id')
      .select('provider_id')
      .where('email', '=', email)
      .orderBy('provider_id')
      .execute()
  ).map(({ provider_id }) => provider_id)

test('who signs up looks into their mail, confirms the address there with one click, and signs in', async () => {
  const visitor = createVisitor(service)
  const user = newUser()

  const sent = await visitor.submit('/sign-up', user)
  expect(sent.at).toBe('/verify-email?sent')
  expect(textOf(sent)).toContain('Three links at most are sent within an hour')
  const [link = { token: '' }] = await linksFor(user.email, 1)
  expect(textOf(await visitor.open(`/verify-email?token=${link.token}`))).toContain('Confirm the address')
  const page = await visitor.submit('/verify-email', link)
  expect([page.at, textOf(page)]).toEqual([confirmed, expect.stringContaining('Your e-mail address is confirmed.')])

  expect((await visitor.submit('/sign-in', user)).at).toBe('/account')
})

describe('in another browser than that of the sign-up', () => {
  test('the password of the sign-up confirms the address', async () => {
    const { user, link } = await signUp()
    await linkProvider(user.email)
    const phone = createVisitor(service)

    const asked = await phone.submit('/verify-email', link)
    expect(textOf(asked)).toContain('The account was made in another browser.')
    const short = await phone.submit('/verify-email', { ...link, password: 'short' })
    expect(short.html).toContain('id="password-error"')
    expect((await phone.submit('/verify-email', { ...link, password: user.password })).at).toBe(confirmed)

    expect((await phone.submit('/sign-in', user)).at).toBe('/account')
    expect(await waysOf(user.email)).toEqual(['credential', 'github'])
    expect(subjectsFor(user.email)).not.toContain('Your password was changed')
  })

  test('whoever has given the password there confirms with one click', async () => {
    const { user } = await signUp()
    const phone = createVisitor(service)

    expect(textOf(await phone.submit('/sign-in', user))).toContain('or the address is not confirmed yet: then open')
    const [, link = { token: '' }] = await linksFor(user.email, 2)

    expect((await phone.submit('/verify-email', link)).at).toBe(confirmed)
  })

  test('a sign-up with the password or the account of somebody else leaves them nothing', async () => {
    const { user: eve, link } = await signUp()
    await linkProvider(eve.email)
    const ada = { ...eve, password: 'the password of Ada' }
    const visitor = createVisitor(service)

    await visitor.submit('/sign-up', ada)
    // What she is told is true: there is a link for her, too.
    const [, own = link] = await linksFor(eve.email, 2)
    expect((await visitor.submit('/verify-email', own)).at).toBe('/verify-email')
    expect((await visitor.submit('/verify-email', { ...own, password: ada.password })).at).toBe(confirmed)

    expect((await createVisitor(service).submit('/sign-in', eve)).at).toBe('/sign-in')
    expect((await visitor.submit('/sign-in', ada)).at).toBe('/account')
    expect(await waysOf(eve.email)).toEqual(['credential'])
    await expect.poll(() => subjectsFor(eve.email)).toContain('Your password was changed')
    // Once it is confirmed a link is good for nothing.
    await visitor.submit('/verify-email', { ...link, password: eve.password })
    expect((await createVisitor(service).submit('/sign-in', eve)).at).toBe('/sign-in')
  })

  test('a password that is reset leaves who signed up nothing, either', async () => {
    const { user: eve } = await signUp()
    await linkProvider(eve.email)
    const visitor = createVisitor(service)

    await visitor.submit('/forgot-password', { email: eve.email })
    const token = await resetTokenFor(eve.email)
    await visitor.submit('/reset-password', { token, newPassword: 'the password of Ada' })

    expect((await visitor.submit('/sign-in', { ...eve, password: 'the password of Ada' })).at).toBe('/account')
    expect(await waysOf(eve.email)).toEqual(['credential'])
  })
})

test('a reset of who has confirmed their address leaves the accounts that they linked', async () => {
  const { visitor, user, link } = await signUp()
  await visitor.submit('/verify-email', link)
  await linkProvider(user.email)

  await visitor.submit('/forgot-password', { email: user.email })
  const token = await resetTokenFor(user.email)
  const page = await visitor.submit('/reset-password', { token, newPassword: 'another password' })

  expect(page.at).toBe('/sign-in?notice=password-set')
  expect(await waysOf(user.email)).toEqual(['credential', 'github'])
})

test('who signs up with an address that is taken sees the same, and its owner is told', async () => {
  const { visitor, user, link } = await signUp()
  await visitor.submit('/verify-email', link)
  const pages = [await createVisitor(service).submit('/sign-up', newUser())]
  const stranger = createVisitor(service)
  pages.push(await stranger.submit('/sign-up', { ...user, name: 'Eve' }))

  expect(pages[1]).toMatchObject({ at: pages[0]?.at, html: pages[0]?.html })
  await expect.poll(() => subjectsFor(user.email)).toContain('You have an account already')
})

describe('after the address is confirmed', () => {
  test.each<[string, string]>([
    ['/welcome', '/sign-in?notice=verified&next=%2Fwelcome'],
    [`${service.baseUrl}/welcome`, '/welcome'],
  ])('a client that asked for %s has people led on there', async (callbackURL, at) => {
    const user = newUser()
    const headers = { origin: service.baseUrl }
    await service.request('/api/auth/sign-up/email', { json: { ...user, callbackURL }, headers })
    const [link = { token: '' }] = await linksFor(user.email, 1)

    expect(link.next).toBe(callbackURL)
    expect((await confirmAnywhere(link, user.password)).at).toBe(at)
  })

  test.each([undefined, ''])('who is to go nowhere (%j) is led to the sign-in', async (next) => {
    const { visitor, link } = await signUp()

    const page = await visitor.submit('/verify-email', { ...link, ...(next !== undefined && { next }) })

    expect(page.at).toBe(confirmed)
  })

  test.each(['https://evil.example/', '//evil.example/'])('nobody is led to %s', async (next) => {
    const { user, link } = await signUp()

    const page = await confirmAnywhere({ ...link, next }, user.password)

    expect(page.at).toBe('/verify-email')
    expect(textOf(page)).toContain('The link leads on to a place that is not known here.')
    expect(page.html).not.toContain('evil.example')
    const again = await createVisitor(service).submit('/verify-email/resend', { email: user.email, next })
    expect(again.html).not.toContain('evil.example')
  })

  test('what is to be read rather than opened is not mailed', async () => {
    const user = newUser()

    await createVisitor(service).submit('/sign-up', { ...user, next: `/${'x'.repeat(2_000)}` })

    const [link] = await linksFor(user.email, 1)
    expect(Object.keys(link ?? {})).toEqual(['token'])
  })

  const confirmAnywhere = (link: object, password: string) =>
    createVisitor(service).submit('/verify-email', { ...link, password })
})

test('the link is sent again, and to nobody for an address that nobody has', async () => {
  const visitor = createVisitor(service)
  const user = newUser()
  await visitor.submit('/sign-up', user)
  await linksFor(user.email, 1)

  expect(textOf(await visitor.open('/verify-email'))).toContain('Three at most are sent within an hour')
  const [known, unknown] = [
    await visitor.submit('/verify-email/resend', { email: user.email }),
    await visitor.submit('/verify-email/resend', { email: `2${user.email}` }),
  ]

  expect(known.at).toBe('/verify-email?sent')
  expect(known.html).toBe(unknown.html)
  await linksFor(user.email, 2)
  expect(mails.filter(({ to }) => to.includes(`2${user.email}`))).toEqual([])
})

test('what is no address is told beside the field', async () => {
  const page = await createVisitor(service).submit('/verify-email/resend', { email: 'ada' })

  expect(page.html).toContain('value="ada"')
  expect(page.html).toContain('<p class="error" id="email-error">This is not an e-mail address that can be used.</p>')
})

test('a link that is no good says so, and how to get a new one', async () => {
  const page = await createVisitor(service).submit('/verify-email', { token: 'x' })

  expect(textOf(page)).toContain('Ask for a new one.')
  expect(page.html).toContain('action="/verify-email/resend"')
})
