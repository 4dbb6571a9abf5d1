import { afterAll, describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisits } from '../support/provider-visits.ts'
import { decide, registerClient } from '../support/relying-party.ts'
import { answerAt, startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, newUser, textOf, type Visitor } from '../support/visitor.ts'

// Sign-in with a provider where mail is sent.

const origin = `http://localhost:${await freePort()}`
const [provider, { mails, url }] = [await startOpenIdProvider(origin), await startMailServer()]
afterAll(provider.close)
const env = { BETTER_AUTH_URL: origin, SMTP_URL: url, MAIL_FROM: 'auth@example.com', ...provider.env }
const service = await startServiceForFile({ env })
const { newPerson, signIn, visitProvider, comeBack } = createVisits(provider, service)

/** What the last of so many links to confirm an address holds. */
async function linkTo(email: string, count = 1): Promise<Record<string, string>> {
  const links = () =>
    mails
      .filter(({ to }) => to.includes(email))
      .flatMap(({ content }) => /\/verify-email\?(\S+)/.exec(content)?.[1] ?? [])
  await expect.poll(() => links().length, { timeout: 5_000 }).toBe(count)
  return Object.fromEntries(new URLSearchParams(links().at(-1)))
}

const accountsOf = async (email: string) =>
  service.db
    .selectFrom('account')
    .innerJoin('user', 'user.id', 'account.user_id')
    .select(['provider_id', 'password'])
    .where('email', '=', email)
    .execute()

const unconfirmed = ({ cookies }: Visitor) =>
  [...cookies].filter(([name]) => name.endsWith('unconfirmed')).map(([, value]) => value)

const readable = (value: string) => value.replace(/^[\da-f]+$/, ({ length }) => `${length} of hex`)

test('the owner of an account is mailed that it has another way to sign in', async () => {
  const [visitor, user] = [createVisitor(service), newUser()]
  await visitor.submit('/sign-up', user)
  await visitor.submit('/verify-email', await linkTo(user.email))

  expect((await signIn(newPerson({ email: user.email }))).sight.at).toBe('/account')

  const letter = () =>
    mails.find(({ to, content }) => to.includes(user.email) && content.includes('A new way to sign in'))
  await expect.poll(letter, { timeout: 5_000 }).toBeDefined()
  expect(letter()?.content).toMatch(/^Subject: A new way to sign in was added\r$/m)
  expect(letter()?.content).toContain('you can sign in to your account with Example from now on.')
  expect(letter()?.content).toContain(`${origin}/account`)
})

// They confirm it here, and go on using that provider.
test('who comes with an address that both know, and only the provider has verified, is told so', async () => {
  const { email } = await service.createUser({ emailVerified: false })

  const { sight } = await signIn(newPerson({ email }))

  expect(sight.at).toBe('/error?error=account_not_linked')
})

describe('who comes from a provider that has not verified their address', () => {
  test('confirms it with a click in that browser, and goes on using the provider', async () => {
    const person = newPerson({ isVerified: false })
    const { visitor, sight } = await signIn(person)
    expect(textOf(sight)).toContain('If we have mailed you a link, open it in this browser')

    const page = await visitor.submit('/verify-email', await linkTo(person.email))

    expect(textOf(page)).toContain('Your e-mail address is confirmed.')
    expect(unconfirmed(visitor)).toEqual([])
    expect((await comeBack(visitor, await visitProvider(visitor, person))).at).toBe('/account')
    expect(unconfirmed(visitor)).toEqual([])
    expect((await signIn(person)).sight.at).toBe('/account')
    expect(await accountsOf(person.email)).toEqual([{ provider_id: 'oidc', password: null }])
  })

  test('does so in another browser once they have come there from the provider, too', async () => {
    const person = newPerson({ isVerified: false })
    await signIn(person)
    const asked = await createVisitor(service).submit('/verify-email', await linkTo(person.email))
    expect(asked.html).toContain('id="password"')
    expect(textOf(asked)).toContain('If you came with Example, sign in with that in this browser first')
    expect(textOf(asked)).toContain('every other way to sign in that was added to it, such as Example, is removed')

    const { visitor } = await signIn(person)
    const page = await visitor.submit('/verify-email', await linkTo(person.email, 2))

    expect(textOf(page)).toContain('Your e-mail address is confirmed.')
    expect(await accountsOf(person.email)).toEqual([{ provider_id: 'oidc', password: null }])
  })

  test('is led on to the application for which they came', async () => {
    const client = createBareClient(service, await registerClient(service))
    const [visitor, person] = [createVisitor(service), newPerson({ isVerified: false })]
    const { path } = client.begin({ state: 'a state' })
    const { at } = await visitor.open(path)
    const fields = { provider: 'oidc', oauth_query: at.slice(at.indexOf('?') + 1) }
    await comeBack(visitor, await answerAt((await visitor.submit('/sign-in/social', fields)).at, person.id))

    const page = await visitor.submit('/verify-email', await linkTo(person.email))
    const next = /name="next" value="([^"]*)"/.exec(page.html)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const again = await visitor.submit('/sign-in/social', { provider: 'oidc', next })
    const consent = await comeBack(visitor, await answerAt(again.at, person.id))

    expect(consent.at).toMatch(/^\/consent\?/)
    expect((await decide(visitor, consent, 'allow')).at).toMatch(/[?&]state=a\+state\b/)
  })

  test('gets nothing of who has that address here, and is not told that somebody has', async () => {
    const user = newUser()
    await createVisitor(service).submit('/sign-up', user)
    const link = await linkTo(user.email)

    const [hers, nobodys] = [newPerson({ email: user.email, isVerified: false }), newPerson({ isVerified: false })]
    const known = await signIn(hers)
    const others = [await signIn(hers), await signIn(nobodys), await signIn(nobodys)]

    for (const { sight } of others) expect([sight.at, sight.html]).toEqual([known.sight.at, known.sight.html])
    const values = [known, ...others].flatMap(({ visitor }) => unconfirmed(visitor))
    // Each is new, although it may hold the same.
    expect(new Set(values).size).toBe(4)
    expect(new Set(values.map(readable))).toEqual(new Set([`${values[0]?.length} of hex`]))
    expect((await known.visitor.submit('/verify-email', link)).html).toContain('id="password"')
    expect(await accountsOf(user.email)).toMatchObject([{ provider_id: 'credential' }])
  })
})
