import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { bodyFor, type Call, documentedOperations, grantClient, pathFor } from '../support/openapi.ts'
import { createCalls, refusal, refusalOf } from '../support/refusals.ts'

const trusted = 'https://app.example.com'
const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: trusted } })
const { request, db, baseUrl } = service
const { createMember, sessionUser, whois } = await createDoors(service)
const operations = await documentedOperations(service)
const admin = await service.createSignedIn('admin')
const target = await grantClient(service, await service.createSignedIn())
const { stateOf } = createCalls(service, target)
const host = baseUrl.replace('http://', '')

const evilOrigins = [
  'https://evil.example',
  'null',
  '',
  `${baseUrl}.evil.example`,
  `http://${host}@evil.example`,
  `http://evil.${host}`,
  `http://${host}:80@evil.example`,
  `${trusted}.evil.example`,
  `https://evil.${trusted.slice('https://'.length)}`,
  `${trusted}:8443`,
  trusted.replace('https:', 'http:'),
  `${trusted}, https://evil.example`,
]
// No browser writes a trusted origin so, and Better-Auth takes them for it.
const misspelt = [`${trusted}/`, trusted.toUpperCase()]

/** Headers with which a browser sends what a page elsewhere made it send. */
const crossSite: Record<string, string>[] = [
  ...[...evilOrigins, ...misspelt].map((origin) => ({ origin })),
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  { referer: `${baseUrl}/account` },
]

/** Calls an operation about somebody, with a cookie and these headers alone: without an Origin unless they name one. */
function send(operation: Call, { cookie }: { cookie: string }, headers: Record<string, string>, about = target) {
  const { method } = operation
  return request(pathFor(operation, about), { ...bodyFor(operation), method, headers: { cookie, ...headers } })
}

describe.each(operations.filter(({ method }) => method !== 'GET'))('S-10, S-12 $id with a cookie', (operation) => {
  test.each(crossSite)('is refused to %o', async (headers) => {
    const before = await stateOf(target.id)

    const response = await send(operation, admin, headers)

    expect(await refusalOf(response)).toEqual(refusal(403, 'csrf', null))
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
    expect(await stateOf(target.id)).toEqual(before)
  })

  test('is refused to a program that says nothing of where it is, which a token lets in', async () => {
    expect(await refusalOf(await send(operation, admin, {}))).toEqual(refusal(403, 'csrf', null))

    const user = await grantClient(service, await service.createSignedIn())
    const { token } = await service.createSignedIn('admin')
    const { method } = operation
    const response = await request(pathFor(operation, user), { ...bodyFor(operation), method, token })
    expect(response.status).toBe(operation.success)
  })

  test.each([{ origin: baseUrl }, { origin: trusted }, { 'sec-fetch-site': 'same-origin' }])(
    'is done for %o',
    async (headers) => {
      const user = await grantClient(service, await service.createSignedIn())

      const response = await send(operation, await service.createSignedIn('admin'), headers, user)

      expect(response.status).toBe(operation.success)
    },
  )
})

test.each(operations.filter(({ method }) => method === 'GET'))(
  'S-10 $id is not readable by an untrusted origin',
  async (operation) => {
    const response = await send(operation, admin, { origin: 'https://evil.example' })

    expect(response.status).toBe(operation.success)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
    expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin')
  },
)

test('S-10 a program that says nothing of where it is may look, with a cookie, and at the head alone', async () => {
  for (const method of ['GET', 'HEAD']) {
    const response = await request('/api/v1/auth/me', { method, headers: { cookie: admin.cookie } })
    expect([method, response.status]).toEqual([method, 200])
  }
})

describe('S-10 a form or a text of any page', () => {
  test.each([
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'name=Eve' }, 403],
    ['a text', { headers: { 'content-type': 'text/plain' }, body: '{"name": "Eve"}' }, 403],
    ['JSON', { json: { name: 'Eve' } }, 200],
  ])('changes a user with a cookie or not: %s', async (_what, options, status) => {
    const ada = await service.createSignedIn()

    const response = await request('/api/v1/users/me', { method: 'PATCH', cookie: ada.cookie, ...options })

    expect(response.status).toBe(status)
  })
})

test.each(evilOrigins)('S-10 a cookie changes nothing at Better-Auth from the origin "%s"', async (origin) => {
  const ada = await service.createSignedIn()
  const rename = (headers: object) =>
    request('/api/auth/update-user', { cookie: ada.cookie, json: { name: 'Eve' }, headers: { ...headers } })
  const nameOf = () => db.selectFrom('user').select('name').where('id', '=', ada.id).executeTakeFirst()

  expect((await rename({ origin })).status).toBe(403)
  expect(await nameOf()).toEqual({ name: 'Test User' })

  expect((await rename({ origin: trusted })).status).toBe(200)
  expect(await nameOf()).toEqual({ name: 'Eve' })
})

describe('S-14 nobody is signed in to the account of somebody else', () => {
  const from = (headers: Record<string, string>, body: string, type = 'application/x-www-form-urlencoded') =>
    request('/api/auth/sign-in/email', { method: 'POST', body, headers: { 'content-type': type, ...headers } })
  const navigation = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

  test.each<[string, Record<string, string>, boolean]>([
    ['by a form of another site', { origin: 'https://evil.example', ...navigation }, false],
    ['by a form of a page that hides where it is', { origin: 'null', ...navigation }, false],
    ['by a form that says no origin', navigation, false],
    ['by JSON of another site', { origin: 'https://evil.example' }, true],
    ['by JSON sent as text', { origin: 'https://evil.example', 'content-type': 'text/plain' }, true],
  ])('%s', async (_what, headers, isJson) => {
    const { email } = await createMember()
    const form = new URLSearchParams({ email, password }).toString()

    const response = await from(
      headers,
      isJson ? JSON.stringify({ email, password }) : form,
      isJson ? 'application/json' : undefined,
    )

    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
    expect(response.headers.getSetCookie()).toEqual([])
    expect((await from({ origin: baseUrl }, JSON.stringify({ email, password }), 'application/json')).status).toBe(200)
  })

  test('by a form of another site at the page for signing in', async () => {
    const { email } = await createMember()
    const body = new URLSearchParams({ email, password }).toString()
    const post = (origin: string) =>
      request('/sign-in', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin },
      })

    const refused = await post('https://evil.example')
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []])
    expect((await post(baseUrl)).headers.getSetCookie()).not.toEqual([])
  })
})

test.each<[string, (user: SignedIn) => Parameters<typeof request>]>([
  [
    'Better-Auth',
    ({ cookie }) => ['/api/auth/sign-out', { cookie, json: {}, headers: { origin: 'https://evil.example' } }],
  ],
  [
    'Better-Auth, as a form',
    ({ cookie }) => [
      '/api/auth/sign-out',
      { cookie, method: 'POST', body: '', headers: { origin: 'https://evil.example', 'content-type': 'text/plain' } },
    ],
  ],
  [
    'Better-Auth, without a body',
    ({ cookie }) => ['/api/auth/sign-out', { cookie, method: 'POST', headers: { origin: 'null' } }],
  ],
  [
    'the page',
    ({ cookie }) => [
      '/sign-out',
      {
        cookie,
        body: '',
        headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' },
      },
    ],
  ],
  ['a link', ({ cookie }) => ['/sign-out', { cookie, headers: { 'sec-fetch-site': 'cross-site' } }]],
])('S-15 nobody is signed out by another site through %s', async (_what, requestOf) => {
  const ada = await service.createSignedIn()

  await request(...requestOf(ada))

  expect([await whois({ cookie: ada.cookie }), await sessionUser(ada)]).toEqual([ada.id, ada.id])
  expect((await request('/api/auth/sign-out', { cookie: ada.cookie, json: {} })).status).toBe(200)
  expect(await whois({ cookie: ada.cookie })).toBe('session-ended')
})

describe('S-16, S-17 another origin', () => {
  const paths = ['/api/v1/auth/me', '/api/v1/nothing', '/api/auth/get-session', '/api/auth/token', '/health']

  test.each(paths)('that is not trusted may not read %s, even with the cookie', async (path) => {
    for (const origin of [...evilOrigins, ...misspelt].filter((one) => one !== '')) {
      const { headers } = await request(path, { cookie: admin.cookie, headers: { origin } })
      expect([origin, headers.get('access-control-allow-origin')]).toEqual([origin, null])
      expect(headers.has('access-control-allow-credentials')).toBe(false)
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
      expect(headers.get('vary')).toMatch(/\bOrigin\b/i)
    }
    const { headers } = await request(path, { cookie: admin.cookie, headers: { origin: trusted } })
    expect(headers.get('access-control-allow-origin')).toBe(trusted)
  })

  test.each(['/api/v1/users', '/api/auth/token', '/api/auth/sign-in/email'])(
    'gets no leave beforehand at %s',
    async (path) => {
      const ask = (origin: string) =>
        request(path, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'PATCH',
            'access-control-request-headers': 'authorization,content-type',
          },
        })
      for (const origin of ['https://evil.example', 'null', `${trusted}.evil.example`]) {
        const { headers } = await ask(origin)
        expect(headers.has('access-control-allow-origin')).toBe(false)
        expect(headers.has('access-control-allow-credentials')).toBe(false)
      }
      expect((await ask(trusted)).headers.get('access-control-allow-origin')).toBe(trusted)
    },
  )
})

test('S-20 a program whose fetch says that it is one names a trusted origin, as the README says', async () => {
  const { email } = await createMember()
  // Node's own fetch, without another header.
  const signIn = (headers: Record<string, string>) =>
    request('/api/auth/sign-in/email', { json: { email, password }, headers })

  const refused = await signIn({})
  expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'MISSING_OR_NULL_ORIGIN' }])
  expect((await signIn({ origin: baseUrl })).status).toBe(200)
})
