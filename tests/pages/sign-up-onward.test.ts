import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { allow, beginSignIn, createRelyingParty, redeem, registerClient } from '../support/relying-party.ts'
import { createVisitor, newUser, type Sight, type Visitor } from '../support/visitor.ts'

// Where people wanted to go when they signed up is where they go once their address is confirmed.
const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })

const hiddenIn = ({ html }: Sight, name: string) =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1]?.replaceAll('&amp;', '&')

/** Signs up with what the page holds, follows the mailed link, and signs in with what that leads to. */
async function signUpAndIn(visitor: Visitor, kept: Record<string, string>, user = newUser()): Promise<Sight> {
  await visitor.submit('/sign-up', { ...user, ...kept })
  return confirmAndSignIn(visitor, user)
}

/** Follows the last of so many mailed links, and signs in with what that leads to. */
async function confirmAndSignIn(visitor: Visitor, user: ReturnType<typeof newUser>, count = 1): Promise<Sight> {
  const links = () =>
    mails
      .filter(({ to }) => to.includes(user.email))
      .flatMap(({ content }) => /\/verify-email\?(\S+)/.exec(content)?.[1] ?? [])
  await expect.poll(() => links().length, { timeout: 5_000 }).toBe(count)
  const link = Object.fromEntries(new URLSearchParams(links().at(-1)))
  const page = await visitor.submit('/verify-email', { ...link, password: user.password })
  expect(page.html).toContain('Your e-mail address is confirmed.')
  return visitor.submit('/sign-in', { ...user, next: hiddenIn(page, 'next') ?? '' })
}

test.each(['/problems/forbidden', '/error?error=banned&x=*~!()%20é'])('to %s', async (next) => {
  const sight = await signUpAndIn(createVisitor(service), { next })

  expect(sight.at).toBe(new URL(next, service.baseUrl).href.replace(service.baseUrl, ''))
})

test('to where they wanted to go when they signed up again, or signed in, before they confirmed', async () => {
  for (const [path, next] of [
    ['/sign-up', '/problems/forbidden'],
    ['/sign-in', '/problems/conflict'],
  ] as const) {
    const [visitor, user] = [createVisitor(service), newUser()]
    await visitor.submit('/sign-up', { ...user, next: '/problems/internal' })
    await visitor.submit(path, { ...user, next })

    expect((await confirmAndSignIn(visitor, user, 2)).at).toBe(next)
  }
})

test('to where they wanted to go when they had the link sent again', async () => {
  const [visitor, user, next] = [createVisitor(service), newUser(), '/problems/conflict']

  const sent = await visitor.submit('/sign-up', { ...user, next })
  const page = await visitor.open(/href="([^"]+)">Ask for another link/.exec(sent.html)?.[1] ?? '')
  const again = { email: user.email, next: hiddenIn(page, 'next') ?? '' }
  expect((await visitor.submit('/verify-email/resend', again)).at).toBe(sent.at)

  expect((await confirmAndSignIn(visitor, user, 2)).at).toBe(next)
})

test('to the application that asked, and nowhere else, when they have an account already', async () => {
  const party = await createRelyingParty(service, await registerClient(service))
  const request = await beginSignIn(party, 'openid email')
  const [visitor, user] = [createVisitor(service), newUser()]
  await signUpAndIn(visitor, {}, user)
  const links = () =>
    mails.filter(({ to }) => to.includes(user.email)).flatMap(({ content }) => /\/sign-in\S*/.exec(content)?.[0] ?? [])

  const stranger = createVisitor(service)
  await stranger.submit('/sign-up', { ...user, next: '/account?notice=password' })
  await expect.poll(links).toEqual(['/sign-in'])
  const page = await stranger.open(`${request.url.pathname}${request.url.search}`)
  await stranger.submit('/sign-up', { ...user, oauth_query: page.at.slice(page.at.indexOf('?') + 1) })
  await expect.poll(() => links().length).toBe(2)

  const sight = await visitor.open(links().at(-1) ?? '')
  expect(sight.at).toMatch(/^\/consent\?/)
  const callback = await allow(visitor, { url: new URL(sight.at, service.baseUrl) })
  expect(await redeem(party, callback, request)).toMatchObject({ scope: 'openid email' })
})

test.each([{}, { prompt: 'login consent' }, { prompt: 'create' }])(
  'to the application that asked (%j), with a new signature',
  async (more) => {
    const party = await createRelyingParty(service, await registerClient(service))
    const request = await beginSignIn(party, 'openid email', more)
    const visitor = createVisitor(service)
    const page = await visitor.open(`${request.url.pathname}${request.url.search}`)

    const sight = await signUpAndIn(visitor, { oauth_query: page.at.slice(page.at.indexOf('?') + 1) })

    expect(sight.at).toMatch(/^\/consent\?/)
    const callback = await allow(visitor, { url: new URL(sight.at, service.baseUrl) })
    expect(await redeem(party, callback, request)).toMatchObject({ scope: 'openid email' })
  },
)

test('to the application as who has confirmed, and not as who was signed in before', async () => {
  const before = await service.createSignedIn()
  const party = await createRelyingParty(service, await registerClient(service))
  const request = await beginSignIn(party, 'openid email', { prompt: 'create' })
  const [visitor, user] = [createVisitor(service, before.cookie), newUser()]
  const page = await visitor.open(`${request.url.pathname}${request.url.search}`)

  const sight = await signUpAndIn(visitor, { oauth_query: page.at.slice(page.at.indexOf('?') + 1) }, user)
  const callback = await allow(visitor, { url: new URL(sight.at, service.baseUrl) })

  const { id_token = '' } = (await redeem(party, callback, request)) as { id_token?: string }
  const { id } = await service.db
    .selectFrom('user')
    .select('id')
    .where('email', '=', user.email)
    .executeTakeFirstOrThrow()
  expect(decodeJwt(id_token).sub).toBe(id)
})
