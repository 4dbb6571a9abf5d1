import { symmetricEncrypt } from 'better-auth/crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startService, startServiceForFile, type TestService } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { createVisitor, newUser } from '../support/visitor.ts'

// What lets a click confirm an address: the browser in which the account was made, or a session of its owner.

const { mails, url } = await startMailServer()
const env = { SMTP_URL: url, MAIL_FROM: 'auth@example.com' }
const service = await startServiceForFile({ env })

const ask = (of: TestService, path: string, json: object, cookie = '') =>
  of.request(`/api/auth${path}`, { json, headers: { origin: of.baseUrl, cookie } })

/** The token of the link that was mailed to an address. */
async function tokenFor(email: string): Promise<string> {
  const token = () =>
    mails
      .filter(({ to }) => to.includes(email))
      .map(({ content }) => /\/verify-email\?token=([\w.-]+)/.exec(content)?.[1])
      .at(0)
  await expect.poll(token, { timeout: 5_000 }).toBeDefined()
  return token() ?? ''
}

/** The cookie that a browser is given, without its value: its name, and its attributes in order. */
function cookieOf(response: Response): string[] {
  const [cookie = ''] = response.headers.getSetCookie().filter((text) => text.includes('unconfirmed='))
  const [pair = '', ...attributes] = cookie.split('; ')
  return [pair.split('=')[0] ?? '', ...attributes.sort()]
}

const attributes = (maxAge: number) => ['HttpOnly', `Max-Age=${maxAge}`, 'Path=/', 'SameSite=Lax']

test('a browser keeps it for a day, shows it to this service only, and drops it once it has served', async () => {
  const user = newUser()

  const signedUp = await ask(service, '/sign-up/email', user)
  expect(cookieOf(signedUp)).toEqual(['better-auth.unconfirmed', ...attributes(86_400)])
  expect(cookieOf(await ask(service, '/sign-in/email', user))).toEqual(cookieOf(signedUp))

  const cookie = signedUp.headers.getSetCookie()[0]?.split(';')[0]
  const confirmed = await ask(service, '/verify-email', { token: await tokenFor(user.email) }, cookie)
  expect(confirmed.status).toBe(200)
  expect(cookieOf(confirmed)).toEqual(['better-auth.unconfirmed', ...attributes(0)])
})

test('over https it goes nowhere else', async () => {
  const secure = await startService({ env: { ...env, BETTER_AUTH_URL: 'https://auth.example.com' } })
  onTestFinished(secure.stop)

  const cookie = cookieOf(await ask(secure, '/sign-up/email', newUser()))

  expect(cookie).toEqual(['__Host-better-auth.unconfirmed', ...attributes(86_400), 'Secure'])
})

const { secret } = await service.services.auth.$context
const encrypted = (data: string, key = secret) => symmetricEncrypt({ key, data })

/** Another last digit, whichever there was. */
const tampered = (value: string) => value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')

describe('nothing is confirmed by a cookie', () => {
  test.each<[string, (id: string, value: string) => string | Promise<string>]>([
    ['that is changed', (_id, value) => tampered(value)],
    ['that is not encrypted', (id) => `unconfirmed ${id}`],
    ['that is encrypted with another secret', (id) => encrypted(`unconfirmed ${id}`.padEnd(64), 'another')],
    ['that is encrypted for something else', (id) => encrypted(id)],
    ['that is named otherwise', (id) => encrypted(`of something${id}`)],
    ['that is no text of ours', () => 'x'],
  ])('%s', async (_what, change) => {
    const ada = newUser()
    const [pair = ''] = (await ask(service, '/sign-up/email', ada)).headers.getSetCookie()[0]?.split(';') ?? []
    const [name = '', value = ''] = pair.split('=')
    const ids = service.db.selectFrom('user').select('id').where('email', '=', ada.email)
    const { id } = await ids.executeTakeFirstOrThrow()
    const token = await tokenFor(ada.email)
    const confirm = (given: string) => ask(service, '/verify-email', { token }, `${name}=${encodeURIComponent(given)}`)

    const response = await confirm(await change(id, value))

    expect([response.status, await response.json()]).toMatchObject([403, { code: 'PASSWORD_NEEDED' }])
    // Sent in the same way, the one that was given serves.
    expect((await confirm(value)).status).toBe(200)
  })

  test('of somebody else', async () => {
    const [ada, eve] = [newUser(), newUser()]
    const ofEve = (await ask(service, '/sign-up/email', eve)).headers.getSetCookie()[0]?.split(';')[0]
    await ask(service, '/sign-up/email', ada)

    const response = await ask(service, '/verify-email', { token: await tokenFor(ada.email) }, ofEve)

    expect([response.status, await response.json()]).toMatchObject([403, { code: 'PASSWORD_NEEDED' }])
  })
})

test('no other site makes a browser forget', async () => {
  const headers = { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' }
  const next = encodeURIComponent(`${service.baseUrl}/sign-in#?error=email_not_verified`)
  const answers = [
    await service.request('/api/auth/callback/google?error=email_not_verified', { headers, body: 'x=y' }),
    await service.request('/api/auth/callback/google?error=email_not_verified'),
    await service.request(`/api/auth/reset-password/x?callbackURL=${next}`),
  ]

  expect(answers.map(({ status }) => status)).toEqual([302, 302, 302])
  expect(answers.flatMap(({ headers: sent }) => sent.getSetCookie())).toEqual([])
})

test('a wrong password does not make a browser forget', async () => {
  const [ada, eve] = [createVisitor(service), createVisitor(service)]
  const user = newUser()
  await ada.submit('/sign-up', user)
  const token = await tokenFor(user.email)
  for (const visitor of [ada, eve]) await visitor.submit('/sign-in', { ...user, password: 'a wrong password' })

  expect((await eve.submit('/verify-email', { token })).html).toContain('id="password"')
  expect((await ada.submit('/verify-email', { token })).at).toBe('/sign-in?notice=verified')
})

/** What a sign-in tells: the status, the code, and whether it leaves a cookie to confirm the address by. */
async function signIn(of: TestService, user: object): Promise<[number, unknown, boolean]> {
  const response = await ask(of, '/sign-in/email', user)
  const { code } = (await response.json()) as { code?: string }
  return [response.status, code, response.headers.getSetCookie().some((text) => text.includes('unconfirmed='))]
}

test('another browser has it once the password was right, and not for a wrong one', async () => {
  const user = newUser()
  await ask(service, '/sign-up/email', user)
  const token = await tokenFor(user.email)
  const confirmAfter = async (password: string) => {
    const signedIn = await ask(service, '/sign-in/email', { ...user, password })
    const [cookie] = signedIn.headers.getSetCookie()[0]?.split(';') ?? []
    return [signedIn.status, (await ask(service, '/verify-email', { token }, cookie)).status]
  }

  expect(await confirmAfter('a wrong password')).toEqual([401, 403])
  expect(await confirmAfter(user.password)).toEqual([401, 200])
})

test('nobody has it of a sign-in that is good, malformed, or refused for a ban, which answers as ever', async () => {
  const user = newUser()
  await ask(service, '/sign-up/email', user)
  const of = service.db.updateTable('user').where('email', '=', user.email)
  await of.set({ email_verified: true }).execute()

  expect(await signIn(service, user)).toEqual([200, undefined, false])
  expect(await signIn(service, { ...user, email: 'none' })).toEqual([400, 'INVALID_EMAIL', false])
  await of.set({ banned: true }).execute()
  expect(await signIn(service, user)).toEqual([403, 'BANNED_USER', false])
})

test('an address that is confirmed is so for whoever has the link', async () => {
  const user = newUser()
  await ask(service, '/sign-up/email', user)
  const token = await tokenFor(user.email)
  const confirm = async (given: object) => (await ask(service, '/verify-email', { token, ...given })).status

  expect([await confirm({}), await confirm({ password: user.password }), await confirm({})]).toEqual([403, 200, 200])
})

test('nobody has it where addresses need not be confirmed', async () => {
  const plain = await startService()
  onTestFinished(plain.stop)
  const user = newUser()

  expect(cookieOf(await ask(plain, '/sign-up/email', user))).toEqual([''])
  expect(await signIn(plain, { ...user, password: 'a wrong password' })).toEqual([
    401,
    'INVALID_EMAIL_OR_PASSWORD',
    false,
  ])
})

test('in a session of their owner, and of nobody else, an address is confirmed by a click', async () => {
  const user = await service.createUser({ emailVerified: false })
  await ask(service, '/send-verification-email', { email: user.email })
  const token = await tokenFor(user.email)
  const [owner, other] = [await service.signIn(user), await service.createSignedIn()]
  const confirm = async ({ cookie }: { cookie: string }) =>
    (await ask(service, '/verify-email', { token }, cookie)).status

  expect([await confirm(other), await confirm(owner)]).toEqual([403, 200])

  const found = service.db.selectFrom('user').select('email_verified').where('id', '=', user.id)
  expect(await found.executeTakeFirst()).toEqual({ email_verified: true })
})
