import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile()
const closed = await startServiceForFile({ env: { SIGN_UP: 'closed' } })
const { db } = service

interface Answer {
  status: number
  body: { code?: string; token?: string | null; user?: { id: string } } | null
  cookie: string
  headers: Headers
}

/** Asks Better-Auth as a browser on our own origin does. */
async function auth(
  path: string,
  json?: object,
  { of = service, cookie, token }: { of?: typeof service; cookie?: string; token?: string } = {},
): Promise<Answer> {
  const response = await of.request(`/api/auth${path}`, {
    headers: { origin: of.baseUrl },
    ...(json && { json }),
    ...(cookie !== undefined && { cookie }),
    ...(token !== undefined && { token }),
  })
  const set = response.headers.getSetCookie().find((value) => value.startsWith(of.services.sessionCookies.name)) ?? ''
  const body = (await response.json().catch(() => null)) as Answer['body']
  return { status: response.status, body, cookie: set.split(';')[0] ?? '', headers: response.headers }
}

async function signUp(change: object = {}) {
  const given = { email: `${randomUUID()}@example.com`, name: 'Ada', password, ...change }
  return { ...given, ...(await auth('/sign-up/email', given)) }
}

const meOf = async (cookie: string) => (await service.request('/api/v1/auth/me', { cookie })).status

/** The token in the last reset mail to an address. */
async function resetToken(email: string): Promise<string> {
  const before = mailedToken(service, email)
  await auth('/request-password-reset', { email })
  await expect.poll(() => mailedToken(service, email)).not.toBe(before)
  return mailedToken(service, email)
}

describe('signing up', () => {
  test('opens a session that both doors know', async () => {
    const ada = await signUp()

    expect(ada.status).toBe(200)
    expect(await meOf(ada.cookie)).toBe(200)
    expect((await auth('/get-session', undefined, { cookie: ada.cookie })).body).toMatchObject({
      user: { email: ada.email, role: 'user' },
    })
  })

  test('of an address that is taken is refused, in any case', async () => {
    const ada = await signUp()

    expect(await signUp({ email: ada.email.toUpperCase() })).toMatchObject({ status: 422 })
    expect(await db.selectFrom('user').where('email', '=', ada.email).select('id').execute()).toHaveLength(1)
  })

  test('is refused where it is closed, and signing in is not', async () => {
    const given = { email: `${randomUUID()}@example.com`, name: 'Ada', password }
    const refused = await auth('/sign-up/email', given, { of: closed })

    expect(refused.status).toBe(400)
    expect(await closed.db.selectFrom('user').where('email', '=', given.email).select('id').execute()).toEqual([])
    await closed.services.userAccounts.create({ ...given, role: 'user', emailVerified: true })
    expect((await auth('/sign-in/email', given, { of: closed })).status).toBe(200)
  })

  test.each<[string, object]>([
    ['an empty name', { name: '' }],
    ['a blank name', { name: '  ' }],
    ['a name of 201 characters', { name: 'n'.repeat(201) }],
    ['a name with a control character', { name: 'a\u0007b' }],
    ['a name with NUL', { name: 'a\u0000b' }],
    ['a name with half a surrogate pair', { name: 'a\ud800' }],
    ['a script as picture', { image: 'javascript:alert(1)' }],
    ['a plain http picture', { image: 'http://example.com/a.png' }],
    ['a data picture', { image: 'data:image/png;base64,AAAA' }],
    ['what is no address', { email: 'nobody' }],
    ['too long an address', { email: `${'a'.repeat(64)}@${'b'.repeat(190)}.com` }],
    ['a short password', { password: 'sevench' }],
    ['a password of 129 characters', { password: 'p'.repeat(129) }],
  ])('with %s is refused', async (_, change) => {
    const { status, email } = await signUp(change)

    expect(status).toBe(400)
    expect(await db.selectFrom('user').where('email', '=', email).select('id').execute()).toEqual([])
  })

  test('holds a later change of the profile to the same rules', async () => {
    const { cookie, email } = await signUp()

    for (const change of [{ name: '' }, { name: 'a\u0000b' }, { image: 'http://example.com/a.png' }]) {
      expect((await auth('/update-user', change, { cookie })).status).toBe(400)
    }
    for (const change of [{ role: 'admin' }, { banned: true }, { emailVerified: true }, { email: 'x@example.com' }]) {
      await auth('/update-user', { name: 'Ada King', ...change }, { cookie })
    }
    const row = await db.selectFrom('user').where('email', '=', email).selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ role: 'user', banned: false, email_verified: false, image: null })
  })
})

describe('signing in', () => {
  test('takes the password and nothing else', async () => {
    const { email } = await signUp()

    expect(await auth('/sign-in/email', { email: email.toUpperCase(), password })).toMatchObject({ status: 200 })
    for (const wrong of ['wrong password', password.toUpperCase(), '', `${password} `]) {
      expect((await auth('/sign-in/email', { email, password: wrong })).status).toBe(401)
    }
  })

  test('never answers with set-auth-jwt', async () => {
    const ada = await signUp()
    const session = await auth('/get-session', undefined, { cookie: ada.cookie })

    for (const { headers } of [ada, session]) expect(headers.has('set-auth-jwt')).toBe(false)
  })
})

describe('a password', () => {
  test.each<[string, (user: SignedIn) => Promise<unknown>]>([
    [
      'by a reset',
      async ({ email }) => auth('/reset-password', { token: await resetToken(email), newPassword: password }),
    ],
    ['by an operator', ({ id }) => service.services.userAccounts.setPassword(id, password)],
  ])('set for the first time %s ends the sessions and the other tokens', async (_whose, set) => {
    const ada = await service.createSignedIn()

    await set(ada)

    expect(await meOf(ada.cookie)).toBe(401)
    const user = await db.selectFrom('user').select('valid_after').where('id', '=', ada.id).executeTakeFirst()
    expect(user?.valid_after).not.toBeNull()
  })

  test('is reset once by each mailed token, and ends the sessions and the other tokens', async () => {
    const ada = await signUp()
    const [first, second] = [await resetToken(ada.email), await resetToken(ada.email)]
    const reset = async (token: string, newPassword: string) =>
      (await auth('/reset-password', { token, newPassword })).status

    expect(await reset(second, 'a second password')).toBe(200)
    expect(await reset(second, 'a third password')).toBe(400)
    expect(await reset(first, 'a third password')).toBe(400)
    expect(await meOf(ada.cookie)).toBe(401)
    expect((await auth('/sign-in/email', { email: ada.email, password })).status).toBe(401)
    expect((await auth('/sign-in/email', { email: ada.email, password: 'a second password' })).status).toBe(200)
  })

  test.each([undefined, false, true])(
    'is changed by its owner, and every other session ends, with revokeOtherSessions: %s',
    async (revokeOtherSessions) => {
      const ada = await signUp()
      const other = await auth('/sign-in/email', { email: ada.email, password })
      const mailed = await resetToken(ada.email)

      const change = { currentPassword: password, newPassword: 'a second password', revokeOtherSessions }
      const changed = await auth('/change-password', change, { cookie: ada.cookie })

      expect(changed.status).toBe(200)
      expect(await meOf(other.cookie)).toBe(401)
      expect(await meOf(ada.cookie)).toBe(401)
      expect(await meOf(changed.cookie)).toBe(200)
      expect((await auth('/reset-password', { token: mailed, newPassword: 'a third password' })).status).toBe(400)
    },
  )

  test('is not changed without the current one', async () => {
    const ada = await signUp()
    const change = { currentPassword: 'wrong password', newPassword: 'a second password' }

    expect((await auth('/change-password', change, { cookie: ada.cookie })).status).toBe(400)
    expect(await meOf(ada.cookie)).toBe(200)
  })

  test('is not chosen by an admin for somebody else', async () => {
    const admin = await service.createSignedIn('admin')
    const ada = await signUp()
    const json = { userId: ada.body?.user?.id, newPassword: 'a second password' }

    expect((await auth('/admin/set-user-password', json, { cookie: admin.cookie })).status).toBe(404)
    expect((await auth('/sign-in/email', { email: ada.email, password })).status).toBe(200)
  })
})

test.each<[string, unknown]>([
  ['/sign-in/email', { email: 'a\u0000@example.com', password }],
  ['/sign-in/email', { email: 'a@example.com', password: 'a\u0000 password' }],
  ['/sign-in/email', { email: { $ne: null }, password: { $ne: null } }],
  ['/sign-in/email', []],
  ['/sign-up/email', { email: 'nul-in-the-password@example.com', name: 'Ada', password: 'a\u0000 password' }],
  ['/sign-up/email', null],
  ['/reset-password', { token: 'a\u0000b', newPassword: password }],
  ['/reset-password', { token: ['a'], newPassword: password }],
  ['/request-password-reset', { email: 'a\u0000@example.com' }],
  ['/change-password', { currentPassword: '\u0000', newPassword: password }],
])('%s never fails for what it is sent: %j', async (path, json) => {
  const { status } = await service.request(`/api/auth${path}`, { json, headers: { origin: service.baseUrl } })
  expect(status).toBeLessThan(500)
})

test('a link to reset that is in the log confirms no address: who reads that need not read the mail', async () => {
  const user = await service.createUser({ emailVerified: false })
  const json = { token: await resetToken(user.email), newPassword: 'another battery' }
  expect((await auth('/reset-password', json)).status).toBe(200)

  const found = db.selectFrom('user').select('email_verified').where('id', '=', user.id)
  expect(await found.executeTakeFirst()).toEqual({ email_verified: false })
})
