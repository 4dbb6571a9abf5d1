import { describe, expect, test } from 'vitest'
import { eventsOf } from '../support/audit.ts'
import { startServiceForFile } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'

const service = await startServiceForFile({ env: providerEnv })
const without = await startServiceForFile()

const begin = (provider: string, callbackURL = '/', of = service) =>
  of.request('/api/auth/sign-in/social', { json: { provider, callbackURL }, headers: { origin: of.baseUrl } })

/** Where a browser is sent, and the cookie it brings back. */
async function sentTo(provider: string): Promise<{ url: URL; cookie: string }> {
  const response = await begin(provider)
  const { url } = (await response.json()) as { url: string }
  return {
    url: new URL(url),
    cookie: response.headers
      .getSetCookie()
      .map((value) => value.split(';')[0])
      .join('; '),
  }
}

const callback = (provider: string, query: Record<string, string>, cookie = '') =>
  service.request(`/api/auth/callback/${provider}?${new URLSearchParams(query).toString()}`, { cookie })

test('a sign-in with a bad token has an event, of nobody whom it only names', async () => {
  const { email } = await service.createUser()
  const rows = await eventsOf(service.db, async () => {
    const json = { provider: 'google', idToken: { token: 'x' }, email }
    const headers = { origin: service.baseUrl }
    expect((await service.request('/api/auth/sign-in/social', { json, headers })).status).toBe(401)
  })
  expect(rows).toMatchObject([{ action: 'sign_in.failed', target_type: null, target_id: null }])
})

test('a sign-in that is refused has a line, and one that leads on has none', async () => {
  const since = service.logLines().length
  await callback('google', { error: 'access_denied', state: 'none' })
  const json = { email: 'none', password: 'correct horse battery' }
  await service.request('/api/auth/sign-in/email', { json, headers: { origin: service.baseUrl } })
  // This is none.
  await service.request('/api/auth/sign-in/email', { json: {}, headers: { origin: service.baseUrl } })

  const lines = service
    .logLines()
    .slice(since)
    .map((line) => JSON.parse(line) as { event?: string; code?: string })
  const told = lines.filter(({ event }) => event === 'sign-in-failed').map(({ code }) => code)
  expect(told).toEqual(['INVALID_EMAIL'])
})

describe.each([
  ['google', 'https://accounts.google.com/o/oauth2/v2/auth', ['email', 'profile', 'openid']],
  ['github', 'https://github.com/login/oauth/authorize', ['read:user', 'user:email']],
])('signing in with %s', (provider, endpoint, scopes) => {
  test('goes to the provider with a code challenge, a state, and the secret left out', async () => {
    const { url } = await sentTo(provider)

    expect(`${url.origin}${url.pathname}`).toBe(endpoint)
    const { state, code_challenge, scope, ...parameters } = Object.fromEntries(url.searchParams)
    expect(parameters).toMatchObject({
      client_id: `${provider}-id`,
      redirect_uri: `${service.baseUrl}/api/auth/callback/${provider}`,
      response_type: 'code',
      code_challenge_method: 'S256',
    })
    expect([state?.length, code_challenge?.length]).toEqual([expect.any(Number), 43])
    expect(new Set(scope?.split(' '))).toEqual(new Set(scopes))
    expect(url.href).not.toContain('-secret')
  })

  test('comes back to an error when the user refused', async () => {
    const { url, cookie } = await sentTo(provider)
    const state = url.searchParams.get('state') ?? ''

    const response = await callback(provider, { error: 'access_denied', state }, cookie)

    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toContain('error=access_denied')
    expect(response.headers.getSetCookie().join()).not.toContain('session_token=')
  })

  test.each([
    ['of nobody', () => ({ state: 'x'.repeat(32), cookie: '' })],
    [
      'of another browser',
      async () => ({ state: (await sentTo(provider)).url.searchParams.get('state') ?? '', cookie: '' }),
    ],
  ])('is refused with a state %s', async (_whose, given) => {
    const { state, cookie } = await given()

    const response = await callback(provider, { code: 'any', state }, cookie)

    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toMatch(
      /error=(state_mismatch|please_restart_the_process|state_not_found)/,
    )
    expect(response.headers.getSetCookie().join()).not.toContain('session_token=')
  })

  test('sends nobody to another site afterwards', async () => {
    const response = await begin(provider, 'https://evil.example/')

    expect(response.status).toBe(403)
  })

  test('is not offered where it is not configured', async () => {
    expect((await begin(provider, '/', without)).status).toBe(404)
  })
})
