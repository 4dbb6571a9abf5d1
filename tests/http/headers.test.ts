import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  password,
  type RequestOptions,
  startService,
  startServiceForFile,
  type TestService,
} from '../support/harness.ts'

const trusted = 'https://app.example.com'
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted, TRUSTED_PROXIES: '10.0.0.0/8' } })
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
  ['a redirection', 303, '/'],
  ['a form', 200, '/sign-in'],
  ['a stylesheet', 200, '/assets/pages.css'],
  ['the keys', 200, '/api/auth/jwks'],
  ['a session of Better-Auth', 200, '/api/auth/get-session', { cookie: ada.cookie }],
  ['a refusal of Better-Auth', 401, '/api/auth/sign-in/email', signInOfNobody],
  ['what Better-Auth has not', 404, '/api/auth/nothing'],
  ['a preflight', 204, '/api/v1/users', { method: 'OPTIONS', headers: preflight(trusted) }],
  ['health', 200, '/health'],
]

function preflight(origin: string): Record<string, string> {
  return {
    origin,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,content-type',
  }
}

describe('every response', () => {
  test.each(kinds)('protects itself: %s (%i)', async (_, status, path, options = {}) => {
    const { headers: given = {}, ...rest } = options
    const { headers, ...response } = await request(path, { ...rest, headers: { ...given } }).then((answer) => ({
      status: answer.status,
      headers: answer.headers,
    }))

    expect(response.status).toBe(status)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBe('DENY')
    // No other site is told anything.
    expect(headers.get('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/)
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(headers.get('cache-control')).toMatch(/^no-store$|^public, max-age=\d+/)
    expect(headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
    expect(headers.has('x-powered-by') || headers.has('server')).toBe(false)
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

describe('another origin', () => {
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

describe('the address of the client', () => {
  const forwarded = '192.0.2.66, 198.51.100.7, 10.1.2.3'

  /** The address that a sign-in with these headers is recorded with. */
  async function recordedAddress(of: TestService, headers: Record<string, string>): Promise<string | null> {
    const json = { email: `${randomUUID()}@example.com`, name: 'Ada', password }
    const response = await of.request('/api/auth/sign-up/email', { json, headers: { origin: of.baseUrl, ...headers } })
    const { user } = (await response.json()) as { user: { id: string } }
    const row = await of.db.selectFrom('session').select('ip_address').where('user_id', '=', user.id).executeTakeFirst()
    return row?.ip_address ?? null
  }

  test('is the peer, whatever a client claims', async () => {
    const names = ['x-forwarded-for', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip', 'true-client-ip']
    const claims = Object.fromEntries(names.map((name) => [name, '192.0.2.66']))

    expect(await recordedAddress(service, { ...claims, forwarded: 'for=192.0.2.66' })).toBe('127.0.0.1')
    expect(await recordedAddress(service, { 'x-forwarded-for': forwarded })).toBe('127.0.0.1')
  })

  test('behind proxies of ours is the right-most hop that is none of them', async () => {
    const behind = await startService({ env: { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' } })
    onTestFinished(() => behind.stop())
    const behindIt = (hops: string) => recordedAddress(behind, { 'x-forwarded-for': hops })

    expect(await behindIt(forwarded)).toBe('198.51.100.7')
    expect(await behindIt('198.51.100.7')).toBe('198.51.100.7')
    expect(await behindIt('192.0.2.66, 11.1.2.3')).toBe('11.1.2.3')
    expect(await behindIt('10.0.0.1, 10.0.0.2')).toBe('10.0.0.1')
    // What stands before a hop that is no address was not written by a proxy of ours.
    expect(await behindIt('192.0.2.66, unknown, 10.1.2.3')).toBe('10.1.2.3')
    expect(await behindIt('')).toBe('127.0.0.1')
    expect(await behindIt('::ffff:198.51.100.7')).toBe('198.51.100.7')
    // Of an IPv6 address the /64 is kept: the rest changes by the day.
    expect(await behindIt('2001:db8:1:2:3:4:5:6')).toBe('2001:0db8:0001:0002:0000:0000:0000:0000')
    expect(await recordedAddress(behind, { 'x-client-ip': '192.0.2.66' })).toBe('127.0.0.1')
  })
})
