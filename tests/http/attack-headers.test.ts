import { describe, expect, onTestFinished, test } from 'vitest'
import { password, type RequestOptions, startService, startServiceForFile } from '../support/harness.ts'

const trusted = 'https://app.example.com'
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted } })
const { request } = service
const ada = await service.createSignedIn()

const signInOfNobody = { json: { email: 'nobody@example.com', password }, headers: { origin: trusted } }

const kinds: [kind: string, status: number, path: string, options?: RequestOptions][] = [
  ['an answer', 200, '/api/v1/auth/me', { token: ada.token }],
  ['a refusal', 401, '/api/v1/auth/me'],
  ['a denial', 403, '/api/v1/users', { token: ada.token }],
  ['what is not there', 404, '/nothing'],
  ['another method', 405, '/health', { method: 'POST' }],
  ['too large a body', 413, '/api/v1/users/me', { method: 'PATCH', token: ada.token, body: 'x'.repeat(65_537) }],
  ['bad input', 422, '/api/v1/users/me/sessions?limit=0', { token: ada.token }],
  ['a page', 200, '/problems/internal'],
  ['the reference', 200, '/api/v1/docs'],
  ['where the reference is come back to', 200, '/api/v1/docs/signed-in'],
  ['a redirection', 303, '/'],
  ['a form', 200, '/sign-in'],
  ['a stylesheet', 200, '/assets/pages.css'],
  ['a picture', 200, '/assets/logo.svg'],
  ['the keys', 200, '/api/auth/jwks'],
  ['a session of Better-Auth', 200, '/api/auth/get-session', { cookie: ada.cookie }],
  ['a refusal of Better-Auth', 401, '/api/auth/sign-in/email', signInOfNobody],
  ['what Better-Auth has not', 404, '/api/auth/nothing'],
  ['a preflight', 204, '/api/v1/users', { method: 'OPTIONS', headers: preflight(trusted) }],
  ['health', 200, '/health'],
]

const looksByType = {
  'application/json': /^[[{][^]*[\]}]$/,
  'application/problem+json': /^\{"type":"\/problems\//,
  'text/html': /^<!doctype html>/i,
  'text/css': /--\w+:/,
  'text/plain': /^0?$/,
  'image/svg+xml': /^<svg/,
}

function preflight(origin: string): Record<string, string> {
  return {
    origin,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,content-type',
  }
}

describe('H-05, H-07, H-09 every response', () => {
  // What it says the harness looks at: tests/support/held-headers.ts.
  test.each(kinds)('protects itself: %s (%i)', async (_, status, path, options = {}) => {
    expect((await request(path, options)).status).toBe(status)
  })

  test.each(kinds)('is of the type that it names: %s (%i)', async (_kind, _status, path, options = {}) => {
    const response = await request(path, options)
    const [type, content] = [response.headers.get('content-type'), await response.text()]
    const looks = Object.entries(looksByType).find(([name]) => type?.startsWith(name))?.[1] ?? /^(?!)/
    expect([type, (content === '' && type === null) || looks.test(content)]).toEqual([type, true])
    // JSON is UTF-8 without saying so: RFC 8259 section 8.1.
    expect(type ?? '').toMatch(/^$|^application\/(problem\+)?json$|charset=utf-8$/i)
  })

  test('has an id of its own, whatever the caller sends', async () => {
    const headers = { 'x-request-id': 'chosen' }
    const ids = await Promise.all(
      [1, 2].map(async () => (await request('/api/v1/auth/me', { headers })).headers.get('x-request-id')),
    )
    expect(new Set([...ids, 'chosen']).size).toBe(3)
  })

  test('demands https for a year where the service is at https, and only there', async () => {
    expect((await request('/health')).headers.has('strict-transport-security')).toBe(false)
    const secure = await startService({ env: { BETTER_AUTH_URL: 'https://auth.example.com' } })
    onTestFinished(() => secure.stop())
    const { headers } = await secure.request('/api/v1/auth/me')
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains')
  })
})

describe('H-01 another origin', () => {
  const paths = ['/api/v1/auth/me', '/api/v1/nothing', '/api/auth/get-session', '/health']
  const open = [
    '/api/auth/jwks',
    '/api/auth/oauth2/token',
    '/api/auth/oauth2/revoke',
    '/api/auth/oauth2/userinfo',
    '/api/auth/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/api/auth',
  ]

  test.each([...paths, ...open])('that is trusted may read %s, with credentials', async (path) => {
    const { headers } = await request(path, { headers: { origin: trusted } })

    expect(headers.get('access-control-allow-origin')).toBe(trusted)
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    expect(headers.get('vary')).toMatch(/\bOrigin\b/i)
    expect(headers.get('access-control-expose-headers')).toMatch(/x-request-id/i)
  })

  test.each(paths)('of ours is told of by name where a page asks under another name of the host: %s', async (path) => {
    const origin = service.baseUrl
    const same = await request(path, { headers: { origin, 'sec-fetch-site': 'same-origin' } })
    const other = await request(path, { headers: { origin, 'sec-fetch-site': 'cross-site' } })

    expect(same.headers.has('access-control-allow-origin')).toBe(false)
    expect(other.headers.get('access-control-allow-origin')).toBe(origin)
  })

  test.each(open)('may read %s, without credentials', async (path) => {
    for (const origin of ['https://spa.example', 'null']) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const { headers } = await request(path, { method, headers: { ...preflight(origin), origin } })
        expect([method, headers.get('access-control-allow-origin')]).toEqual([method, '*'])
        expect(headers.has('access-control-allow-credentials')).toBe(false)
        expect(headers.get('vary')).toMatch(/\bOrigin\b/i)
      }
    }
  })

  test.each(['introspect', 'consent', 'authorize', 'end-session'])('may not read oauth2/%s', async (name) => {
    const { headers } = await request(`/api/auth/oauth2/${name}`, { headers: { origin: 'https://spa.example' } })
    expect(headers.has('access-control-allow-origin')).toBe(false)
  })

  test('that is trusted may ask for everything beforehand, and keep the answer for ten minutes', async () => {
    for (const path of ['/api/v1/users', '/api/v1/users/me', '/api/auth/sign-in/email']) {
      const { status, headers } = await request(path, { method: 'OPTIONS', headers: preflight(trusted) })
      expect(status).toBe(204)
      expect(headers.get('access-control-allow-origin')).toBe(trusted)
      expect(headers.get('access-control-allow-credentials')).toBe('true')
      expect(headers.get('access-control-max-age')).toBe('600')
      expect(headers.get('access-control-allow-methods')).toMatch(/PATCH/)
      expect(headers.get('access-control-allow-headers')?.toLowerCase()).toMatch(/authorization.*content-type/)
    }
  })
})

describe('H-03 a preflight', () => {
  test.each([
    ['spaces', ' '],
    ['commas', ','],
    ['both', ' , '],
    ['tabs', '\t,'],
    ['names', 'x-a,'],
  ])('of ten kilobytes of %s is answered as any other', async (_what, part) => {
    const headers = {
      ...preflight(trusted),
      'access-control-request-headers': `a${part.repeat(10_000 / part.length)}b`,
    }
    for (const path of ['/api/v1/users', '/api/auth/oauth2/token', '/health']) {
      const response = await request(path, { method: 'OPTIONS', headers })
      expect(response.status).toBe(204)
      const allowed = response.headers.get('access-control-allow-headers')?.toLowerCase()
      expect(allowed).toBe('authorization,content-type')
    }
  })
})

describe('H-08 a refusal says what to do', () => {
  test.each<[number, string, RegExp, string, RequestOptions?]>([
    [401, 'www-authenticate', /^Bearer$/, '/api/v1/auth/me'],
    [401, 'www-authenticate', /^Bearer error="invalid_token"$/, '/api/v1/auth/me', { token: 'x' }],
    [401, 'www-authenticate', /^Bearer/, '/api/auth/oauth2/userinfo'],
    [405, 'allow', /^GET, HEAD$/, '/health', { method: 'PUT' }],
    [405, 'allow', /^POST$/, '/api/auth/oauth2/token'],
    [405, 'allow', /^GET, HEAD$/, '/api/auth/get-session', { json: {}, headers: { origin: trusted } }],
    [415, 'accept', /^application\/json$/, '/api/v1/auth/verify', { token: ada.token, body: 'x' }],
  ])('%i: %s %s', async (status, name, value, path, options) => {
    const response = await request(path, options)
    expect([response.status, response.headers.get(name)]).toEqual([status, expect.stringMatching(value)])
  })

  test('429: Retry-After, in whole seconds', async () => {
    const limited = await startService({ env: { RATE_LIMIT: '2' } })
    onTestFinished(() => limited.stop())
    const headers = { origin: limited.baseUrl }
    const ask = { v1: '/api/v1/auth/me', auth: '/api/auth/sign-in/email' }
    for (let i = 0; i < 2; i++) await limited.request(ask.v1)
    for (let i = 0; i < 3; i++) await limited.request(ask.auth, { json: signInOfNobody.json, headers })
    for (const refused of [
      await limited.request(ask.v1),
      await limited.request(ask.auth, { json: signInOfNobody.json, headers }),
    ]) {
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^[1-9]\d*$/)])
    }
  })
})
