import { randomUUID } from 'node:crypto'
import { createAuthClient } from 'better-auth/client'
import { expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { readme } from '../support/readme.ts'
import { createVisitor, newUser, type Visitor } from '../support/visitor.ts'

// Programs that look for harm in a mail open its links: no letter may have one that changes something by being opened.
const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
const { db, baseUrl } = service
const { createMember } = await createDoors(service)

const ask = (path: string, json: object) => service.request(`/api/auth${path}`, { json, headers: { origin: baseUrl } })

/** Where the first link leads in the last of so many mails to an address. */
async function linkTo(email: string, count = 1): Promise<string> {
  const contents = () => mails.filter(({ to }) => to.includes(email)).map(({ content }) => content)
  await expect.poll(() => contents().length, { timeout: 5_000 }).toBe(count)
  const { pathname, search } = new URL(/http:\S+/.exec(contents().at(-1) ?? '')?.[0] ?? '')
  return `${pathname}${search}`
}

interface Opened {
  path: string
  /** A browser as it is where the link was asked for. */
  visitor: Visitor
  email: string
}

async function askForChange(): Promise<Opened> {
  const { cookie } = await createMember()
  const visitor = createVisitor(service, cookie)
  const newEmail = `${randomUUID()}@example.com`
  await visitor.submit('/account/email', { newEmail, password })
  return { visitor, email: newEmail, path: await linkTo(newEmail) }
}

async function askForReset(more: object = {}): Promise<Opened> {
  const { email } = await createMember()
  await ask('/request-password-reset', { email, ...more })
  return { visitor: createVisitor(service), email, path: await linkTo(email) }
}

async function invite(): Promise<Opened> {
  const { token } = await service.createSignedIn('admin')
  const { password: _none, ...json } = newUser()
  await service.request('/api/v1/users', { token, json })
  return { visitor: createVisitor(service), email: json.email, path: await linkTo(json.email) }
}

async function signUp(more: object = {}): Promise<Opened> {
  const user = newUser()
  const response = await ask('/sign-up/email', { ...user, ...more })
  const visitor = createVisitor(service, response.headers.getSetCookie()[0])
  return { visitor, email: user.email, path: await linkTo(user.email) }
}

async function signUpTwice(): Promise<Opened> {
  const { email, visitor } = await signUp()
  await ask('/sign-up/email', { ...newUser(), email })
  return { visitor, email, path: await linkTo(email, 2) }
}

async function rows() {
  const tables = ['user', 'account', 'session', 'verification', 'oauth_grant'] as const
  return Promise.all(tables.map(async (table) => (await db.selectFrom(table).selectAll().execute()).map(textOfRow)))
}

const textOfRow = (row: object) => JSON.stringify(row)

test.each<[string, () => Promise<Opened>]>([
  ['to confirm an address', signUp],
  ['to confirm an address and go on', () => signUp({ callbackURL: '/account' })],
  ['to confirm an address and go back to a front end', () => signUp({ callbackURL: `${baseUrl}/welcome` })],
  ['to confirm an address that was given twice', signUpTwice],
  ['to reset a password', askForReset],
  ['to reset a password in a front end', () => askForReset({ redirectTo: `${baseUrl}/choose` })],
  ['to choose a first password', invite],
  ['to change an address', askForChange],
])('a link %s changes nothing when it is opened', async (_what, send) => {
  const { visitor, path } = await send()
  const before = await rows()

  const { status } = await visitor.open(path)
  await createVisitor(service).open(path)
  await service.request(path, { method: 'HEAD' })

  // Where a front end would be there is none.
  expect([200, 404]).toContain(status)
  expect(await rows()).toEqual(before)
})

test('GET confirms no address with a token that is good', async () => {
  const { path, email } = await signUp()
  const { search } = new URL(path, baseUrl)

  expect((await service.request(`/api/auth/verify-email${search}`)).status).toBe(404)

  const user = db.selectFrom('user').select('email_verified').where('email', '=', email)
  expect(await user.executeTakeFirst()).toEqual({ email_verified: false })
})

test('the client of Better-Auth confirms an address with a POST, as the README says', async () => {
  const { path, email } = await signUp()
  const token = new URL(path, baseUrl).searchParams.get('token') ?? ''
  const auth = createAuthClient({ baseURL: service.url, fetchOptions: { headers: { origin: baseUrl } } })

  expect((await auth.verifyEmail({ query: { token } })).error).toMatchObject({ status: 404 })
  const clicked = await auth.$fetch('/verify-email', { method: 'POST', body: { token } })
  expect(clicked.error).toMatchObject({ status: 403, code: 'PASSWORD_NEEDED' })
  expect(readme).toContain("auth.$fetch('/verify-email', { method: 'POST', body: { token, password } })")
  const confirmed = await auth.$fetch('/verify-email', { method: 'POST', body: { token, password } })

  expect(confirmed).toEqual({ data: { status: true }, error: null })
  const user = db.selectFrom('user').select('email_verified').where('email', '=', email)
  expect(await user.executeTakeFirst()).toEqual({ email_verified: true })
})

test('the link to change an address changes it for who asked', async () => {
  const { visitor, path, email } = await askForChange()
  const { change = '' } = Object.fromEntries(new URL(path, baseUrl).searchParams)

  expect((await visitor.submit('/verify-email/change', { change, email })).at).toBe('/account?notice=email-changed')

  expect((await visitor.open('/account')).html).toContain(email)
})

test('whether the link to reset a password is good is told of it, until it was used or has ended', async () => {
  const tokenIn = ({ path }: Opened) => new URL(path, baseUrl).searchParams.get('token') ?? ''
  const [token, ended] = [tokenIn(await askForReset()), await askForReset()]
  const isGood = async (given: string) =>
    ((await (await ask('/reset-password/check', { token: given })).json()) as { status: boolean }).status
  expect([await isGood(token), await isGood(`${token}x`), await isGood(tokenIn(ended))]).toEqual([true, false, true])

  // In the query, as Better-Auth takes it as well.
  expect((await ask(`/reset-password?token=${token}`, { newPassword: 'a password of mine' })).status).toBe(200)
  expect(await isGood(token)).toBe(false)
  const { id } = await db.selectFrom('user').select('id').where('email', '=', ended.email).executeTakeFirstOrThrow()
  const aSecondAgo = new Date(Date.now() - 1_000)
  await db.updateTable('verification').set({ expires_at: aSecondAgo }).where('value', '=', id).execute()
  expect(await isGood(tokenIn(ended))).toBe(false)
})

test('the link to reset a password sets one', async () => {
  const { visitor, path, email } = await askForReset()
  const { token = '' } = Object.fromEntries(new URL(path, baseUrl).searchParams)
  const newPassword = 'another password'

  expect((await visitor.submit('/reset-password', { token, newPassword })).at).toBe('/sign-in?notice=password-set')

  expect((await visitor.submit('/sign-in', { email, password: newPassword })).at).toBe('/account')
})
