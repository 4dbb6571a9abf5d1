import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { createVisits } from '../support/provider-visits.ts'
import { answerAt, startOpenIdProvider } from '../support/standins/openid-provider.ts'
import type { Person } from '../support/standins/providers.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, signUp, textOf, type Visitor } from '../support/visitor.ts'

const origin = `http://localhost:${await freePort()}`
const provider = await startOpenIdProvider(origin)
afterAll(provider.close)
const env = { BETTER_AUTH_URL: origin, ...provider.env }
const service = await startServiceForFile({ env })
const { db } = service
const { newPerson, visitProvider, comeBack, signIn } = createVisits(provider, service)

const usersWith = (email: string) => db.selectFrom('user').selectAll().where('email', '=', email).execute()
const accountsOf = ({ id }: Person) => db.selectFrom('account').selectAll().where('account_id', '=', id).execute()
const isSignedIn = ({ cookies }: Visitor) => cookies.has(service.services.sessionCookies.name)

describe('signing in with an OpenID provider', () => {
  test('leads to its sign-in page with a code challenge, a nonce and the scopes of the service', async () => {
    const visitor = createVisitor(service)
    const page = await visitor.open('/sign-in')
    expect(textOf(page)).toContain('Continue with Example')

    const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })

    const url = new URL(at)
    expect(`${url.origin}${url.pathname}`).toBe(`${provider.issuer}/auth`)
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'latchkey',
      redirect_uri: `${origin}/api/auth/callback/oidc`,
      response_type: 'code',
      scope: 'openid email profile',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{32}$/),
      state: expect.stringMatching(/^[\w-]{32}$/),
    })
  })

  test('makes an account for somebody new, who returns to it', async () => {
    const person = newPerson({ name: 'Ada Lovelace' })

    const { visitor, sight } = await signIn(person)
    expect(sight.at).toBe('/account')
    expect(isSignedIn(visitor)).toBe(true)
    const [user] = await usersWith(person.email)
    expect(user).toMatchObject({ name: 'Ada Lovelace', email_verified: true, role: 'user' })
    provider.add({ ...person, name: 'Another name' })
    expect((await signIn(person)).sight.at).toBe('/account')

    expect(await usersWith(person.email)).toMatchObject([{ id: user?.id, name: 'Ada Lovelace' }])
    expect(await accountsOf(person)).toMatchObject([{ provider_id: 'oidc', user_id: user?.id }])
    const log = service.logLines().join('\n')
    expect(log).toContain(`Example: the callback URL to give there is ${origin}/api/auth/callback/oidc`)
    for (const secret of [provider.env['OIDC_CLIENT_SECRET'], person.email]) expect(log).not.toContain(secret)
  })

  test('lends its tokens, and what it says of them, to who has signed in with it', async () => {
    const person = newPerson()
    const { visitor } = await signIn(person)
    const { name } = service.services.sessionCookies
    const cookie = `${name}=${visitor.cookies.get(name) ?? ''}`
    const [{ id: accountId } = { id: '' }] = await accountsOf(person)
    const ask = async (path: string) => {
      const response = await service.request(`/api/auth/${path}`, { cookie, json: { accountId } })
      return [response.status, ((await response.json()) as { accessToken?: string }).accessToken]
    }

    const [status, first] = await ask('get-access-token')
    const [renewed, second] = await ask('refresh-token')
    expect([status, renewed, typeof first, typeof second, first === second]).toEqual([
      200,
      200,
      'string',
      'string',
      false,
    ])
    expect(await ask('get-access-token')).toEqual([200, second])
    const said = await service.request(`/api/auth/account-info?accountId=${accountId}`, { cookie })
    expect([said.status, await said.json()]).toMatchObject([200, { user: { email: person.email } }])
  })

  test('ends the session that the browser had', async () => {
    const { visitor } = await signUp(service)
    const { name } = service.services.sessionCookies
    const former = `${name}=${visitor.cookies.get(name) ?? ''}`
    const before = await service.request('/api/v1/auth/me', { cookie: former })

    await comeBack(visitor, await visitProvider(visitor, newPerson()))

    const after = await service.request('/api/v1/auth/me', { cookie: former })
    expect([before.status, after.status, isSignedIn(visitor)]).toEqual([200, 401, true])
  })

  test('leads to the account with the same address, when both sides have verified it', async () => {
    const user = await service.createUser()
    const person = newPerson({ email: user.email })

    expect((await signIn(person)).sight.at).toBe('/account')

    expect(await accountsOf(person)).toMatchObject([{ user_id: user.id }])
  })

  test.each([
    ['the provider has not verified it', false, true],
    ['X-06: its owner has not verified it here', true, false],
  ])('leads to no account with the same address when %s', async (_why, isVerified, emailVerified) => {
    const { email } = await service.createUser({ emailVerified })
    const person = newPerson({ email, isVerified })

    const { visitor, sight } = await signIn(person)

    expect(sight.at).toBe('/error?error=account_not_linked')
    expect(textOf(sight)).toContain('There is an account with this e-mail address already')
    expect(isSignedIn(visitor)).toBe(false)
    expect(await accountsOf(person)).toEqual([])
  })

  test('ends where nothing was changed when it is not allowed there', async () => {
    const [visitor, person] = [createVisitor(service), newPerson()]

    const sight = await comeBack(visitor, await visitProvider(visitor, person, false))

    expect(sight.at).toContain('/error?error=access_denied')
    expect(textOf(sight)).toContain('You did not allow it')
    expect(await usersWith(person.email)).toEqual([])
  })

  test('is added to an account, and removed', async () => {
    const { visitor, email } = await signUp(service)
    expect((await visitor.open('/account')).html).toContain('Sign in with Example too')
    const person = newPerson({ email })

    const told = () => service.logLines().filter((line) => line.includes('sign-in-failed')).length
    const before = told()
    const { at } = await visitor.submit('/account/link', { provider: 'oidc' })
    const page = await comeBack(visitor, await answerAt(at, person.id))
    expect([page.at, told() - before]).toEqual(['/account?notice=link', 0])
    expect(page.html).toContain('aria-label="Remove Example, account ')
    const [account] = await accountsOf(person)
    expect((await visitor.submit('/account/unlink', { id: account?.id ?? '' })).at).toBe('/account?notice=unlink')

    expect(await accountsOf(person)).toEqual([])
  })

  test.each([
    ['another address', { isVerified: true }, 'This has another e-mail address than your account'],
    ['an address that is not verified', { isVerified: false }, 'The provider has not verified your e-mail address'],
  ])('is not added to an account with %s', async (_what, { isVerified }, says) => {
    const { visitor, email } = await signUp(service)
    const person = newPerson({ isVerified, ...(isVerified ? {} : { email }) })

    const { at } = await visitor.submit('/account/link', { provider: 'oidc' })
    const page = await comeBack(visitor, await answerAt(at, person.id))

    expect(textOf(page)).toContain(says)
    expect(await accountsOf(person)).toEqual([])
  })
})

describe('coming back from an OpenID provider is refused', () => {
  test('X-01 with a state of nobody, of another browser, or of before', async () => {
    const [visitor, other] = [createVisitor(service), createVisitor(service)]
    const back = await visitProvider(visitor, newPerson())
    const ofNobody = new URL(back)
    ofNobody.searchParams.set('state', 'x'.repeat(32))

    for (const [who, url] of [
      [visitor, ofNobody],
      [other, back],
    ] as const) {
      expect((await comeBack(who, url)).at).toBe('/error?error=state_mismatch')
      expect(isSignedIn(who)).toBe(false)
    }
    expect((await comeBack(visitor, back)).at).toBe('/account')
    expect((await comeBack(visitor, back)).at).toBe('/error?error=state_mismatch')
  })

  test('with a code that was used', async () => {
    const [visitor, again, person] = [createVisitor(service), createVisitor(service), newPerson()]
    const back = await visitProvider(visitor, person)
    await comeBack(visitor, back)
    const second = await visitProvider(again, person)
    second.searchParams.set('code', back.searchParams.get('code') ?? '')

    const since = service.logLines().length
    const sight = await comeBack(again, second)

    expect(sight.at).toBe('/error?error=invalid_code')
    expect(isSignedIn(again)).toBe(false)
    const lines = service
      .logLines()
      .slice(since)
      .map((line) => JSON.parse(line) as { source?: string })
    expect(lines.filter(({ source }) => source === 'better-auth')).toMatchObject([
      { level: 40, answer: { error: 'invalid_grant', status: 400 }, msg: 'a provider gave no tokens for a code' },
    ])
  })

  test('X-02 with the code of somebody else', async () => {
    const [victim, attacker] = [newPerson(), newPerson()]
    const stolen = await visitProvider(createVisitor(service), victim)
    const visitor = createVisitor(service)
    const back = await visitProvider(visitor, attacker)
    back.searchParams.set('code', stolen.searchParams.get('code') ?? '')

    const sight = await comeBack(visitor, back)

    expect(sight.at).toBe('/error?error=invalid_code')
    expect(isSignedIn(visitor)).toBe(false)
    expect(await usersWith(victim.email)).toEqual([])
  })

  test('X-08 when it is said to come from another issuer', async () => {
    const [visitor, person] = [createVisitor(service), newPerson()]
    const back = await visitProvider(visitor, person)
    expect(back.searchParams.get('iss')).toBe(provider.issuer)
    back.searchParams.set('iss', 'https://login.evil.example')

    const sight = await comeBack(visitor, back)

    expect(sight.at).toBe('/error?error=issuer_mismatch')
    expect(await usersWith(person.email)).toEqual([])
  })
})

test('X-13 a picture is kept only with https, and never asked for', async () => {
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    asked.push(incoming.url ?? '')
    outgoing.end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const person = newPerson({ picture: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ada.png` })

  expect((await signIn(person)).sight.at).toBe('/account')

  expect(await usersWith(person.email)).toMatchObject([{ image: null }])
  expect(asked).toEqual([])
})
