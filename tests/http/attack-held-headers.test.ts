import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { assertHeaders } from '../support/held-headers.ts'
import { sendOnce } from '../support/raw-http.ts'

const service = await startServiceForFile()
const { baseUrl } = service

const constant = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-request-id': '0f8fad5b-d9cb-469f-a165-70867728950e',
}
const kept = { 'cache-control': 'public, max-age=60' }

interface Answer {
  path?: string
  method?: string
  status?: number
  headers?: Record<string, string>
  baseUrl?: string
}

/** What the harness would say of an answer with the constant headers, and these. An empty one is not sent. */
function faultOf({ path = '/api/v1/auth/me', method = 'GET', status = 200, headers = {}, ...given }: Answer): string {
  const sent = Object.entries({ ...constant, ...headers }).filter(([, value]) => value !== '')
  try {
    assertHeaders({ baseUrl, path, method, ...given }, new Response(null, { status, headers: sent }))
    return ''
  } catch (error) {
    return String(error)
  }
}

// The harness looks at every answer of the whole suite: here is what it finds.
describe('H-05 an answer of any test', () => {
  test.each(Object.keys(constant))('fails it without %s', (name) => {
    expect(faultOf({ headers: { [name]: '' } })).toContain(`${name}: (none)`)
    expect(faultOf({ headers: { [name]: 'unsafe-url' } })).toContain(`${name}: unsafe-url`)
    expect(faultOf({})).toBe('')
  })

  test.each(['default-src', 'base-uri', 'frame-ancestors'])('fails it with a policy that lacks %s', (name) => {
    const policy = constant['content-security-policy'].replace(`${name} 'none'`, `${name} 'self'`)
    expect(faultOf({ headers: { 'content-security-policy': policy } })).toContain('content-security-policy')
  })

  test('fails it where it tells what the service is made of', () => {
    for (const name of ['server', 'x-powered-by']) expect(faultOf({ headers: { [name]: 'x' } })).toContain(`${name}: x`)
  })

  test('fails it at https without a year of it, and at http with one', () => {
    const name = 'strict-transport-security'
    const [https, year] = ['https://auth.example.com', { [name]: 'max-age=31536000; includeSubDomains' }]
    expect(faultOf({ baseUrl: https, headers: year })).toBe('')
    expect(faultOf({ baseUrl: https })).toContain(name)
    expect(faultOf({ baseUrl: https, headers: { [name]: 'max-age=3600' } })).toContain(name)
    expect(faultOf({ headers: year })).toContain(name)
  })
})

describe('H-07 an answer of any test', () => {
  test.each([
    '/api/v1/auth/me',
    '/api/v1/users',
    '/api/auth/get-session',
    '/api/auth/token',
    '/api/auth/sign-in/email',
    '/api/auth/oauth2/authorize',
    '/account',
    '/api/auth/jwks/x',
    '/nothing',
  ])('fails it where a cache may keep what is for one caller: %s', (path) => {
    expect(faultOf({ path, headers: kept })).toContain('cache-control: public')
    expect(faultOf({ path: `${path}?x=/api/auth/jwks`, headers: kept })).toContain('cache-control: public')
    for (const value of ['private', 'no-cache', 'no-store, public', 'max-age=60'])
      expect(faultOf({ path, headers: { 'cache-control': value } })).toContain(`cache-control: ${value}`)
    expect(faultOf({ path })).toBe('')
  })

  test('does not where it is for everybody, and is no refusal', () => {
    const path = '/api/auth/jwks'
    expect(faultOf({ path, headers: kept })).toBe('')
    expect(faultOf({ path: `${path}?x`, method: 'HEAD', headers: kept })).toBe('')
    expect(faultOf({ path, method: 'POST', headers: kept })).toContain('cache-control')
    expect(faultOf({ path, status: 503, headers: { ...kept, 'retry-after': '1' } })).toContain('cache-control')
  })
})

describe('H-08 a refusal of any test', () => {
  test.each<[status: number, name: string, good: string, bad: string]>([
    [401, 'www-authenticate', 'Bearer error="invalid_token"', 'Basic'],
    [405, 'allow', 'GET, HEAD', 'get'],
    [415, 'accept', 'application/json', 'nothing at all'],
    [415, 'accept-encoding', 'identity', 'nothing at all'],
    [429, 'retry-after', '7', '0'],
    [503, 'retry-after', '1', '1.5'],
  ])('fails it where a %i lacks %s', (status, name, good, bad) => {
    expect(faultOf({ status, headers: { [name]: good } })).toBe('')
    expect(faultOf({ status, headers: { [name]: bad } })).toContain(name)
    expect(faultOf({ status })).toContain(name)
  })
})

test.each<[status: number, bytes: string]>([
  [200, 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  [400, 'nonsense\r\n\r\n'],
  [400, 'GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n'],
  [400, 'GET /health HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nConnection: close\r\n\r\n'],
  [405, 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n'],
  [431, `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
])('H-05, H-07, H-08 so says what no handler answers, as every answer: %i to %j', async (status, bytes) => {
  const { head, ...answer } = await sendOnce(service, bytes)
  const lines = head.split('\r\n').slice(1).filter(Boolean)
  // The answer is read in lower case.
  const headers = Object.fromEntries(lines.map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]))
  const told = { 'x-frame-options': headers['x-frame-options']?.toUpperCase() ?? '' }
  const allow = headers['allow'] === undefined ? {} : { allow: headers['allow'].toUpperCase() }

  expect(answer.status).toBe(status)
  expect(faultOf({ status, headers: { ...absent(), ...headers, ...told, ...allow } })).toBe('')
})

/** That nothing is sent but what is named. */
function absent(): Record<string, string> {
  return Object.fromEntries(Object.keys(constant).map((name) => [name, '']))
}
