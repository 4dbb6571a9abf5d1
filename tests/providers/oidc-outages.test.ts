import type { RequestListener } from 'node:http'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { password, startService, startServiceForFile, type TestService } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import {
  configurationPath,
  type Lie,
  type LyingProvider,
  startLyingProvider,
} from '../support/standins/lying-provider.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor, signUp, textOf } from '../support/visitor.ts'

const unavailable = 'This service does not answer right now. Sign in another way, or try again in a moment.'

async function startProvider(lie: Lie, port?: number): Promise<LyingProvider> {
  const provider = await startLyingProvider(port)
  onTestFinished(() => provider.close())
  provider.lie = lie
  return provider
}

async function start(env: Record<string, string>): Promise<TestService> {
  const service = await startService({ env })
  onTestFinished(() => service.stop())
  return service
}

const ask = (service: TestService) =>
  service.request('/api/auth/sign-in/social', {
    json: { provider: 'oidc', callbackURL: '/' },
    headers: { origin: service.baseUrl },
  })

test('R-38 a provider that is down when the service starts can be used once it is up', async () => {
  const port = await freePort()
  const env = {
    OIDC_ISSUER: `http://127.0.0.1:${port}`,
    OIDC_CLIENT_ID: 'latchkey',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_NAME: 'Example',
  }
  const service = await start(env)
  const visitor = createVisitor(service)

  const told = await visitor.submit('/sign-in/social', { provider: 'oidc' })
  expect(textOf(told)).toContain(unavailable)
  expect(told.html).toContain('Continue with Example')
  const response = await ask(service)
  expect([response.status, await response.json()]).toMatchObject([503, { code: 'PROVIDER_UNAVAILABLE' }])

  // Its sign-in page may be at another origin than the issuer.
  const signInPage = `http://localhost:${port}/authorize`
  await startProvider({ configuration: { authorization_endpoint: signInPage } }, port)
  const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
  expect(at).toContain(`${signInPage}?`)
})

test('R-38 other ways to sign in and the account page work while a provider is down', async () => {
  const provider = await startProvider({})
  await provider.close()
  const service = await start(provider.env)

  const { visitor, email } = await signUp(service)
  const told = await visitor.submit('/account/link', { provider: 'oidc' })
  expect(textOf(told)).toContain(unavailable)
  expect(told.html).toContain('Your account')

  const again = createVisitor(service)
  expect((await again.submit('/sign-in', { email, password })).at).toBe('/account')
})

test('R-38 a provider that is gone when somebody comes back from it signs nobody in, and the log says why', async () => {
  const provider = await startProvider({})
  const service = await start(provider.env)
  const visitor = createVisitor(service)
  const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
  await provider.close()
  const since = service.logLines().length

  const back = await visitor.open(`/api/auth/callback/oidc?code=any&state=${new URL(at).searchParams.get('state')}`)

  expect(back.at).toBe('/error?error=invalid_code')
  const lines = service
    .logLines()
    .slice(since)
    .map((line) => JSON.parse(line) as object)
  expect(lines).toContainEqual(
    expect.objectContaining({
      msg: 'a provider gave no tokens for a code',
      err: expect.objectContaining({ message: expect.stringContaining('ECONNREFUSED') as string }) as object,
    }),
  )
})

test('R-38 a provider that never answers is given up', async () => {
  const provider = await startProvider({ answers: { [configurationPath]: () => {} } })
  const service = await start(provider.env)

  const answers = await Promise.all([ask(service), ask(service)])

  expect(answers.map(({ status }) => status)).toEqual([503, 503])
  expect(provider.asked).toEqual([configurationPath])
})

const told = (status: number, body: string): RequestListener => {
  return (_incoming, outgoing) => void outgoing.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

describe('R-38 a provider whose configuration', async () => {
  const provider = await startLyingProvider()
  afterAll(provider.close)
  const service = await startServiceForFile({ env: provider.env })

  test.each<[string, Lie]>([
    ['is of another issuer', { configuration: { issuer: 'https://login.evil.example' } }],
    ['has no issuer', { configuration: { issuer: undefined } }],
    ['has no keys', { configuration: { jwks_uri: undefined } }],
    ['has no token endpoint', { configuration: { token_endpoint: undefined } }],
    ['has its sign-in page where others can read', { configuration: { authorization_endpoint: 'http://192.0.2.1/' } }],
    ['has a sign-in page that is a script', { configuration: { authorization_endpoint: 'javascript:alert(1)' } }],
    ['has a sign-in page at no URL', { configuration: { authorization_endpoint: '/authorize' } }],
    ['is garbage', { answers: { [configurationPath]: told(200, '<html>') } }],
    ['is not found', { answers: { [configurationPath]: told(404, '{}') } }],
    ['is too long', { answers: { [configurationPath]: told(200, `"${'x'.repeat(2_000_000)}"`) } }],
  ])('%s is not used', async (_what, lie) => {
    provider.lie = lie

    const response = await ask(service)

    expect([response.status, await response.json()]).toMatchObject([503, { code: 'PROVIDER_UNAVAILABLE' }])
    expect(service.logLines().join('\n')).toContain('Example cannot be used to sign in')
  })
})

test.each<[string, RequestListener]>([
  ['fail', (_incoming, outgoing) => void outgoing.writeHead(500).end()],
  ['are garbage', (_incoming, outgoing) => void outgoing.end('<html>')],
  ['never come', () => {}],
])('X-14 nobody is signed in while the keys of a provider %s', async (_how, listener) => {
  const person = { sub: 'ada', email: 'ada@example.com', email_verified: true }
  const provider = await startProvider({ person, answers: { '/jwks': listener } })
  const service = await start(provider.env)
  const visitor = createVisitor(service)
  const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
  const { nonce = '', state = '' } = Object.fromEntries(new URL(at).searchParams)
  provider.nonce = nonce

  const sight = await visitor.open(`/api/auth/callback/oidc?code=any&state=${state}`)

  expect(textOf(sight)).toContain('The provider did not answer as it should.')
  expect(provider.asked).toContain('/jwks')
  expect(await service.db.selectFrom('user').selectAll().execute()).toEqual([])
})

test('R-38 passwords are checked, and the database answers, while many come back from a provider that hangs', async () => {
  const held: (() => void)[] = []
  const hang: RequestListener = (_incoming, outgoing) => void held.push(() => outgoing.writeHead(500).end())
  const provider = await startProvider({ answers: { '/token': hang } })
  const service = await start(provider.env)
  const { email } = await signUp(service)
  const visits = Array.from({ length: 20 }, async () => {
    const visitor = createVisitor(service)
    const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
    const state = new URL(at).searchParams.get('state')
    return (await visitor.open(`/api/auth/callback/oidc?code=any&state=${state}`)).at
  })
  await expect.poll(() => held.length, { timeout: 20_000 }).toBe(20)

  // Embedded there is one connection: if anybody held it, nobody would be answered before they are.
  const admin = await service.createSignedIn('admin')
  expect((await service.request('/api/v1/users', { token: admin.token })).status).toBe(200)
  expect((await createVisitor(service).submit('/sign-in', { email, password })).at).toBe('/account')
  for (const answer of held) answer()

  expect(new Set(await Promise.all(visits))).toEqual(new Set([expect.stringMatching(/^\/error\?error=/)]))
})

test('R-38 nor while many want new tokens of it', async () => {
  const held: (() => void)[] = []
  const hang: RequestListener = (_incoming, outgoing) => void held.push(() => outgoing.writeHead(500).end())
  const provider = await startProvider({ answers: { '/token': hang } })
  const service = await start(provider.env)
  const [user, admin] = [await service.createSignedIn(), await service.createSignedIn('admin')]
  const account = await linkAccount(service.db, user.id, { provider_id: 'oidc', refresh_token: 'a-refresh-token' })
  const renew = async () => {
    const json = { accountId: account.id }
    return (await service.request('/api/auth/refresh-token', { cookie: user.cookie, json })).status
  }
  const renewals = Array.from({ length: 20 }, renew)
  await expect.poll(() => held.length, { timeout: 20_000 }).toBe(20)

  expect((await service.request('/api/v1/users', { token: admin.token })).status).toBe(200)
  for (const answer of held) answer()

  expect(new Set(await Promise.all(renewals))).toEqual(new Set([400]))
})
