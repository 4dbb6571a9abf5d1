import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { createRawRequest } from '../support/raw-request.ts'
import { inactive, verdictOf } from '../support/token-probe.ts'

const service = await startServiceForFile()
const { request } = service
const raw = createRawRequest(service)
const user = await service.createSignedIn()
const admin = await service.createSignedIn('admin')
const bearer = (token: string) => `Bearer ${token}`

const doors = [
  ['GET', '/api/v1/auth/me'],
  ['POST', '/api/v1/auth/verify'],
] as const

/** What each door answers to an `Authorization` header, or several. */
async function answersTo(authorization: string | string[], more: Record<string, string> = {}) {
  const answers = []
  for (const [method, path] of doors) {
    const { status, type, headers } = await raw(path, { method, headers: { authorization, ...more } })
    answers.push([status, type, headers['www-authenticate']])
  }
  return answers
}

const both = (...answer: unknown[]) => [answer, answer]
const invalid = both(401, 'invalid-token', 'Bearer error="invalid_token"')
const good = both(200, undefined, undefined)

describe('J-32 an Authorization header', () => {
  test.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('opens the account with the scheme %s', async (scheme) => {
    expect(await answersTo(`${scheme} ${user.token}`)).toEqual(good)
  })

  test.each([
    ...['Basic', 'Token', 'DPoP', 'JWT', 'Digest', 'Bearer:', 'Bearerx', 'xBearer'].map((scheme) => `${scheme} `),
    'Bearer  ',
    'Bearer\t',
    'Bearer \t',
    'Bearer',
    'Bearer Bearer ',
    'Bearer=',
    '',
  ])('opens nothing where "%s" is before the token', async (before) => {
    expect(await answersTo(before + user.token)).toEqual(invalid)
  })

  test('opens nothing with the token encoded as a password', async () => {
    const encoded = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
    expect(await answersTo(encoded(`${user.token}:`))).toEqual(invalid)
    expect(await answersTo(encoded(`bearer:${user.token}`))).toEqual(invalid)
  })
})

describe('J-33 an Authorization header', () => {
  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer ,',
    'Bearer a b',
    'Bearer null',
    'Bearer "',
    ':',
    '=',
    'Bearer ..',
    'Bearer .a.',
    `Bearer ${user.token} x`,
    `Bearer ${user.token} ${user.token}`,
    `Bearer "${user.token}"`,
    `Bearer ${user.token},`,
    'Bearer \u0080\u00fe\u00ff',
    `Bearer ${user.token}\u00e4`,
    `Bearer ${'x'.repeat(12_000)}`,
  ])('of %j is refused', async (value) => {
    expect(await answersTo(value)).toEqual(invalid)
    expect(await answersTo(bearer(user.token))).toEqual(good)
  })

  test('of 16 KiB is refused before it is read', async () => {
    expect(await answersTo(`Bearer ${'x'.repeat(16 * 1_024)}`)).toEqual(both(431, 'headers-too-large', undefined))
    expect(await answersTo(bearer(user.token))).toEqual(good)
  })

  test.each<[string, string | string[]]>([
    ['two equal ones', [bearer(user.token), bearer(user.token)]],
    ['two different ones', [bearer(user.token), bearer(admin.token)]],
    ['a Bearer and a Basic one', [bearer(user.token), 'Basic YTpi']],
    ['two in one line', `${bearer(user.token)}, ${bearer(admin.token)}`],
    ['a good one and a word', [bearer(user.token), 'x']],
    ['a good one and an empty one', [bearer(user.token), '']],
  ])('is no good if there are two: %s', async (_, values) => {
    expect(await answersTo(values)).toEqual(both(400, 'malformed-request', undefined))
    const headers = { authorization: values }
    expect(await raw('/api/v1/users/me', { method: 'PATCH', headers })).toMatchObject({ status: 400 })
  })
})

describe('J-35 a token', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  test.each<[string, (token: string) => { query?: string; headers?: Record<string, string>; body?: string }]>([
    ['in the query', (token) => ({ query: `?access_token=${token}` })],
    ['in the query under another name', (token) => ({ query: `?token=${token}&jwt=${token}` })],
    ['in a form', (token) => ({ headers: form, body: `access_token=${token}` })],
    ['in a header of another name', (token) => ({ headers: { 'x-authorization': bearer(token) } })],
    ['in the header of a proxy', (token) => ({ headers: { 'proxy-authorization': bearer(token) } })],
    ['in a header of its own', (token) => ({ headers: { 'x-access-token': token, token } })],
    [
      'in a cookie',
      (token) => ({ headers: { cookie: `token=${token}; access_token=${token}; authorization=${token}` } }),
    ],
  ])('%s is nobody’s credential, and is not logged', async (_, carry) => {
    const { query = '', headers = {}, body } = carry(user.token)
    const since = service.logLines().length
    for (const [method, path] of doors) {
      if (body !== undefined && method === 'GET') continue
      const answer = await raw(path + query, { method, headers, ...(body !== undefined && { body }) })
      expect(answer).toMatchObject({ status: 401, type: 'unauthenticated' })
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(answer.content).not.toContain(user.token)
    }
    expect((await raw('/api/v1/auth/me', { headers: { authorization: bearer(user.token) } })).status).toBe(200)

    const lines = () => service.logLines().slice(since)
    await expect.poll(() => lines().filter((line) => line.includes('/api/v1/auth/')).length).toBeGreaterThan(1)
    expect(lines().join('\n')).not.toContain(user.token.slice(-43))
  })

  test('in the cookie of a session opens no session', async () => {
    const [name = ''] = user.cookie.split('=')
    const answer = await request('/api/v1/auth/me', { cookie: `${name}=${user.token}` })
    expect(await verdictOf(answer)).toMatch(/^401 session-ended /)
    expect(await verdictOf(await request('/api/v1/auth/me', { cookie: user.cookie }))).toBe(user.id)
  })

  test('that is a cookie is no bearer token', async () => {
    for (const token of [
      user.cookie,
      user.cookie.split('=')[1] ?? '',
      decodeURIComponent(user.cookie.split('=')[1] ?? ''),
    ]) {
      expect(await answersTo(bearer(token))).toEqual(invalid)
      const asked = await request('/api/v1/auth/verify', { token: user.token, json: { token } })
      expect(await verdictOf(asked)).toBe(inactive)
    }
  })
})

describe('J-36 a bearer token beside the cookie of somebody else', () => {
  const namesOf = async (...users: SignedIn[]) => {
    const rows = await service.db.selectFrom('user').select(['id', 'name']).execute()
    return users.map(({ id }) => rows.find((row) => row.id === id)?.name)
  }
  const rename = (name: string, headers: Record<string, string>) =>
    request('/api/v1/users/me', { method: 'PATCH', json: { name }, headers })

  test('wins', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createSignedIn()]
    for (const [method, path] of doors) {
      const answer = await request(path, { method, token: ada.token, cookie: bob.cookie })
      expect(await verdictOf(answer)).toBe(ada.id)
      expect(answer.headers.get('set-cookie')).toBeNull()
    }
    const name = randomUUID()
    const headers = { authorization: bearer(ada.token), cookie: bob.cookie, origin: 'https://evil.example' }
    expect((await rename(name, headers)).status).toBe(200)
    expect(await namesOf(ada, bob)).toEqual([name, 'Test User'])
  })

  test.each(['Bearer garbage', 'Bearer', '', 'Basic YTpi'])(
    'and is "%s" gives the cookie no way past its checks',
    async (value) => {
      const bob = await service.createSignedIn()
      const headers = { authorization: value, cookie: bob.cookie }
      for (const origin of [service.baseUrl, 'https://evil.example']) {
        expect(await answersTo(value, { cookie: bob.cookie, origin })).toEqual(invalid)
        const answer = await raw('/api/v1/users/me', { method: 'DELETE', headers: { ...headers, origin } })
        expect(answer.status).toBe(401)
        const patch = { method: 'PATCH', headers: { ...headers, origin, 'content-type': 'application/json' } }
        expect(await raw('/api/v1/users/me', { ...patch, body: '{"name":"Eve"}' })).toMatchObject({ status: 401 })
      }
      expect(await namesOf(bob)).toEqual(['Test User'])
      expect((await rename('Bob', { cookie: bob.cookie, origin: 'https://evil.example' })).status).toBe(403)
      expect((await rename('Bob', { cookie: bob.cookie, origin: service.baseUrl })).status).toBe(200)
    },
  )
})
