import { randomUUID } from 'node:crypto'
import { betterAuth } from 'better-auth'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDoors, sessionCookieIn, sessionTokenOf } from '../support/doors.ts'
import { password, type SignedIn, startService, startServiceForFile, type TestService } from '../support/harness.ts'
import { age } from '../support/session-age.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { request, db } = service
const { auth, v1, createMember, open, whois, sessionUser, signInWith } = await createDoors(service)

const signInAgain = (email: string, given = password) => ['/sign-in/email', { email, password: given }] as const
const signUpAnew = () => ['/sign-up/email', { email: `${randomUUID()}@example.com`, name: 'Eve', password }] as const

describe('S-04 the session cookie', () => {
  /** Every way in which a service sets its session cookie, and what it sets. */
  async function cookiesOf(of: TestService): Promise<string[]> {
    const headers = { origin: of.baseUrl }
    const credentials = { email: `${randomUUID()}@example.com`, name: 'Ada', password }
    const signedUp = await of.request('/api/auth/sign-up/email', { headers, json: credentials })
    const signedIn = await of.request('/api/auth/sign-in/email', { headers, json: credentials })
    const admin = await of.createSignedIn('admin')
    const user = await of.createSignedIn()
    const acting = await of.request('/api/auth/admin/impersonate-user', {
      cookie: admin.cookie,
      json: { userId: user.id },
    })
    const slid = await Promise.all(
      ['/api/v1/auth/me', '/api/auth/get-session'].map(async (path) => {
        const old = await of.createSignedIn()
        await age(of, old, 2 * 86_400_000)
        return of.request(path, { cookie: old.cookie })
      }),
    )
    const signedOut = await of.request('/api/auth/sign-out', { cookie: user.cookie, json: {} })
    const responses = [signedUp, signedIn, acting, ...slid, signedOut]
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200))
    return responses.map(({ headers: set }) => {
      const found = set.getSetCookie().filter((cookie) => cookie.includes('session_token='))
      return found.at(-1) ?? 'none'
    })
  }

  const attributesOf = (cookie: string) =>
    cookie
      .split('; ')
      .slice(1)
      .map((attribute) => attribute.toLowerCase())
      .filter((attribute) => !attribute.startsWith('max-age='))
      .toSorted()

  test('is for this host alone, and no script nor another site can use it, over https', async () => {
    const secure = await startService({ env: { BETTER_AUTH_URL: 'https://auth.example.com' } })
    onTestFinished(() => secure.stop())

    for (const cookie of await cookiesOf(secure)) {
      expect(cookie).toMatch(/^__Host-better-auth\.session_token=/)
      expect(attributesOf(cookie)).toEqual(['httponly', 'path=/', 'samesite=lax', 'secure'])
    }
  })

  test('has the same attributes over http, but for what a browser would refuse there', async () => {
    for (const cookie of await cookiesOf(service)) {
      expect(cookie).toMatch(/^better-auth\.session_token=/)
      expect(attributesOf(cookie)).toEqual(['httponly', 'path=/', 'samesite=lax'])
    }
  })
})

describe('S-06 the session of before', () => {
  test.each<[string, (email: string) => readonly [string, object]]>([
    ['in again', signInAgain],
    ['up anew', signUpAnew],
  ])('ends in the browser of who signs %s, and stays elsewhere', async (_how, requestOf) => {
    const ada = await createMember()
    const elsewhere = await service.signIn(ada)
    const [path, json] = requestOf(ada.email)

    const answer = await auth(ada, path, json)

    expect(answer.status).toBe(200)
    const again = await open(sessionCookieIn(answer))
    expect(await whois({ cookie: again.cookie })).toBe(again.id)
    expect(await whois({ cookie: elsewhere.cookie })).toBe(ada.id)
    expect([await whois({ cookie: ada.cookie }), await whois({ token: ada.token })]).toEqual([
      'session-ended',
      'session-ended',
    ])
  })

  test('stays with who fails to sign in again', async () => {
    const ada = await createMember()

    const { status } = await auth(ada, ...signInAgain(ada.email, 'not this one'))

    expect([status, await whois({ cookie: ada.cookie })]).toEqual([401, ada.id])
  })
})

describe('S-07 a session token', () => {
  const named = (value: string) => ({ cookie: `${service.services.sessionCookies.name}=${value}` })

  test('is a bearer token only with its signature, and not at /api/v1', async () => {
    const ada = await createMember()
    const { body, cookies } = await signInWith(ada.email, password)
    const raw = String(body['token'])
    const signed = decodeURIComponent(cookies[0]?.split(';')[0]?.split('=')[1] ?? '')
    const userOf = async (credential: object) => {
      const response = await request('/api/auth/get-session', credential)
      return ((await response.json()) as { user: { id: string } } | null)?.user.id
    }

    expect(signed.startsWith(`${raw}.`)).toBe(true)
    expect(await userOf({ token: signed })).toBe(ada.id)
    expect(await userOf({ token: raw })).toBeUndefined()
    for (const token of [raw, signed]) expect(await whois({ token })).toBe('invalid-token')
    // Who reads the database, where it stands as it is, has no session either.
    expect(await db.selectFrom('session').select('token').where('token', '=', raw).execute()).toHaveLength(1)
    expect([await userOf(named(raw)), await whois(named(raw))]).toEqual([undefined, 'session-ended'])
  })

  test.each<[string, (token: string, signature: string, other: string) => string]>([
    ['another token', (token, signature) => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}.${signature}`],
    ['a token in other letters', (token, signature) => `${token.toUpperCase()}!.${signature}`],
    ['the signature of another token', (token, _signature, other) => `${token}.${other}`],
    ['half a signature', (token, signature) => `${token}.${signature.slice(0, 22)}`],
    ['an empty signature', (token) => `${token}.`],
    ['a signature of zeros', (token) => `${token}.${Buffer.alloc(32).toString('base64')}`],
    ['a session id', (_token, signature) => `${randomUUID()}.${signature}`],
  ])('opens nothing in a cookie with %s', async (_what, forge) => {
    const [ada, bob] = [await createMember(), await createMember()]
    const valueOf = ({ cookie }: SignedIn) => decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1))
    const signatureOf = (user: SignedIn) => valueOf(user).slice(sessionTokenOf(user).length + 1)
    expect(await whois(named(encodeURIComponent(valueOf(ada))))).toBe(ada.id)

    const forged = named(encodeURIComponent(forge(sessionTokenOf(ada), signatureOf(ada), signatureOf(bob))))

    expect([await whois(forged), await sessionUser(forged)]).toEqual(['session-ended', undefined])
    expect((await request('/api/auth/token', forged)).status).toBe(401)
  })
})

describe('S-08, A-19 a copy of the session in a cookie', () => {
  test('is not set', async () => {
    const ada = await createMember()

    const { cookies } = await signInWith(ada.email, password)

    expect(cookies.map((cookie) => cookie.split('=')[0])).toEqual([service.services.sessionCookies.name])
  })

  test('that we did sign opens nothing once the session is over', async () => {
    const ada = await createMember()
    const { options } = service.services.auth
    const session = { ...options.session, cookieCache: { enabled: true, maxAge: 300 } }
    // Better-Auth by itself, with the cache, on the same tables and with the same secret.
    const caching = betterAuth({ ...options, session, plugins: [] })
    const ask = (cookie: string) =>
      caching.handler(new Request(`${service.baseUrl}/api/auth/get-session`, { headers: { cookie } }))
    const [copy = ''] = (await ask(ada.cookie)).headers.getSetCookie().filter((set) => set.includes('session_data='))
    const cookie = `${ada.cookie}; ${copy.slice(0, copy.indexOf(';'))}`
    expect([await whois({ cookie }), await sessionUser({ cookie })]).toEqual([ada.id, ada.id])

    expect((await auth(ada, '/sign-out')).status).toBe(200)

    // The copy is good: whoever trusts it takes her for signed in.
    expect(await (await ask(cookie)).json()).toMatchObject({ user: { id: ada.id } })
    expect([await whois({ cookie }), await sessionUser({ cookie })]).toEqual(['session-ended', undefined])
    expect((await request('/api/auth/token', { cookie })).status).toBe(401)
    expect((await request('/api/auth/list-sessions', { cookie })).status).toBe(401)
  })
})

test('S-09 after a sign-out neither the browser nor another tab has anything left', async () => {
  const ada = await createMember()
  const { token: another } = (await (await request('/api/auth/token', { cookie: ada.cookie })).json()) as {
    token: string
  }
  const visitor = createVisitor(service, ada.cookie)
  const page = await visitor.open('/account')
  expect([page.at, page.headers.get('cache-control')]).toEqual(['/account', 'no-store'])

  expect((await auth(ada, '/sign-out')).status).toBe(200)

  for (const credential of [{ cookie: ada.cookie }, { token: ada.token }, { token: another }])
    expect(await whois(credential)).toBe('session-ended')
  expect(await sessionUser(ada)).toBeUndefined()
  expect((await request('/api/auth/token', { cookie: ada.cookie })).status).toBe(401)
  expect((await createVisitor(service, ada.cookie).open('/account')).at).toBe('/sign-in')
  expect((await v1(ada, 'GET', '/auth/session')).status).toBe(401)
})

test('I-04 the answers that tell a session token are its owner’s, and are not kept', async () => {
  const ada = await createMember()
  const json = { email: ada.email, password }
  const own = { headers: { origin: service.baseUrl } }
  const signedIn = await request('/api/auth/sign-in/email', { ...own, json })
  const signedUp = await request('/api/auth/sign-up/email', { ...own, json: signUpAnew()[1] })
  const read = await request('/api/auth/get-session', { cookie: ada.cookie })

  for (const response of [signedIn, signedUp, read]) expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await signedIn.json()).toHaveProperty('token')
  expect(await signedUp.json()).toHaveProperty('token')
  expect(await read.json()).toMatchObject({ user: { id: ada.id }, session: { token: sessionTokenOf(ada) } })
})
