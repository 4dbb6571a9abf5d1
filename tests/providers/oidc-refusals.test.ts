import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { startService, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisits } from '../support/provider-visits.ts'
import { startOpenIdProvider } from '../support/standins/openid-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, textOf, type Visitor } from '../support/visitor.ts'

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const env = { BETTER_AUTH_URL: origin, ...provider.env }
const service = await startServiceForFile({ env })
const { db } = service
const { newPerson, signIn } = createVisits(provider, service)

const isSignedIn = ({ cookies }: Visitor) => cookies.has(service.services.sessionCookies.name)

describe('somebody who is banned', () => {
  const ban = { banned: true, ban_reason: 'Spam <3', ban_expires: new Date('2099-01-31T12:00:00Z') }

  async function banned() {
    const person = newPerson()
    await signIn(person)
    await db.updateTable('user').set(ban).where('email', '=', person.email).execute()
    return signIn(person)
  }

  test('is told until when and why when they come from the provider', async () => {
    const { visitor, sight } = await banned()

    expect(textOf(sight)).toContain('banned until Sat, 31 Jan 2099 12:00:00 GMT. The reason: Spam &lt;3')
    expect(isSignedIn(visitor)).toBe(false)
    expect(textOf(await visitor.open('/error?error=access_denied'))).not.toContain('banned')
  })

  test.each<[string, (value: string) => string]>([
    ['made up', () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
    ['changed', (value) => value.replace(/[^.]*$/, 'x')],
  ])('is not told what a cookie says that is %s', async (_what, change) => {
    const { visitor } = await banned()
    const { cookieName } = service.services.banNotices
    visitor.cookies.set(cookieName, change(visitor.cookies.get(cookieName) ?? ''))

    expect(textOf(await visitor.open('/error?error=BANNED_USER'))).toContain('This account is banned. ')
  })
})

test('nobody new is let in where sign-up is closed', async () => {
  const closed = await startService({ env: { ...env, SIGN_UP: 'closed' } })
  onTestFinished(() => closed.stop())

  const { sight } = await signIn(newPerson(), closed)

  expect(textOf(sight)).toContain('New accounts are made by an administrator here.')
  expect(await closed.db.selectFrom('user').selectAll().execute()).toEqual([])
})

test('an address that the provider has not verified must be verified first where mail is sent', async () => {
  const { mails, url } = await startMailServer()
  const mailing = await startService({ env: { ...env, SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
  onTestFinished(() => mailing.stop())
  const person = newPerson({ isVerified: false })

  const { visitor, sight } = await signIn(person, mailing)

  expect(textOf(sight)).toContain('The provider has not verified your e-mail address.')
  expect(isSignedIn(visitor)).toBe(false)
  await expect.poll(() => mails.filter(({ to }) => to.includes(person.email)).length, { timeout: 5_000 }).toBe(1)
  // It is not told whether somebody has an account with the address.
  const { email } = await mailing.createUser()
  const known = await signIn(newPerson({ email, isVerified: false }), mailing)
  expect([known.sight.at, known.sight.html]).toEqual([sight.at, sight.html])
  expect(isSignedIn(known.visitor)).toBe(false)
})

test('where sign-up is closed, too, an address that is not verified tells nothing of accounts', async () => {
  const { url } = await startMailServer()
  const mail = { SMTP_URL: url, MAIL_FROM: 'auth@example.com', SIGN_UP: 'closed' }
  const closed = await startService({ env: { ...env, ...mail } })
  onTestFinished(() => closed.stop())
  const { email } = await closed.createUser()

  const unknown = await signIn(newPerson({ isVerified: false }), closed)
  const known = await signIn(newPerson({ email, isVerified: false }), closed)

  expect(textOf(unknown.sight)).toContain('The provider has not verified your e-mail address.')
  expect([known.sight.at, known.sight.html]).toEqual([unknown.sight.at, unknown.sight.html])
})

test.each([
  ['?adding&error=email_does_not_match', 'Adding it did not work', '/account'],
  ['?error=invalid_logout', 'You are not signed out', '/account'],
  ['?error=invalid_client', 'This cannot be answered', undefined],
  ['?error=access_denied', 'Signing in did not work', '/sign-in'],
])('the page /error%s says what did not work, and leads back', async (query, heading, back) => {
  const { html } = await createVisitor(service).open(`/error${query}`)

  expect(/<h1>([^<]*)/.exec(html)?.[1]).toBe(heading)
  expect(/<nav class="more"><a href="([^"]*)"/.exec(html)?.[1]).toBe(back)
})
