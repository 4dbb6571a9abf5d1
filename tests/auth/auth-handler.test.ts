import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { clientAddressHeader } from '../../src/http/client-address.ts'
import { basic } from '../support/bare-client.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { sendOnce } from '../support/raw-http.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()

test.each(['/api/auth/nothing', '/api/auth/admin/set-user-password', '/api/auth/', '/api/auth/sign-in/nothing'])(
  'what there is not at %s is told as Better-Auth tells it',
  async (path) => {
    const response = await service.request(path, { json: {}, headers: { origin: service.baseUrl } })

    expect([response.status, await response.json()]).toMatchObject([404, { code: 'NOT_FOUND' }])
  },
)

test.each([
  'GET /list-sessions',
  'GET /account-info',
  'GET /admin/list-users',
  'POST /revoke-sessions',
  'POST /unlink-account',
])('who is not signed in is told so in words at %s', async (operation) => {
  const [method = '', path = ''] = operation.split(' ')
  const json = { providerId: 'google', accountId: '1' }
  const headers = { origin: service.baseUrl }

  const response = await service.request(`/api/auth${path}`, { method, headers, ...(method === 'POST' && { json }) })

  expect([response.status, await response.json()]).toMatchObject([401, { code: 'UNAUTHORIZED' }])
})

test('HEAD answers as GET does, without a body', async () => {
  const response = await service.request('/api/auth/get-session', { method: 'HEAD' })

  expect([response.status, await response.text()]).toEqual([200, ''])
})

test.each(['/api/auth/jwks', '/api/v1/openapi.json', '/api/v1/openapi-auth.json'])(
  'what a cache may keep of %s is not given to another origin',
  async (path) => {
    for (const headers of [{}, { origin: service.baseUrl }]) {
      const response = await service.request(path, { headers })
      expect(response.headers.get('cache-control')).toMatch(/^public/)
      expect(response.headers.get('vary')).toMatch(/\borigin\b/i)
    }
  },
)

test('what tells of tokens is kept by no cache of old, either', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const token = await service.request('/api/auth/oauth2/token', { method: 'POST', headers, body: 'grant_type=x' })

  expect(token.headers.get('pragma')).toBe('no-cache')
  expect((await service.request('/api/auth/ok')).headers.get('pragma')).toBeNull()
})

test('a body of a type that is not read is refused with that which is', async () => {
  const headers = { origin: service.baseUrl, 'content-type': 'text/plain' }
  const request = { method: 'POST', headers, body: '{"email":"ada@example.com"}' }
  const response = await service.request('/api/auth/sign-in/email', request)

  expect([response.status, response.headers.get('accept')]).toEqual([415, 'application/json'])
  // Forms are read at some endpoints, and this is none of them.
  const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
  const refused = await service.request('/api/auth/update-user', { method: 'POST', headers: form, body: 'name=Ada' })
  expect([refused.status, refused.headers.get('accept')]).toEqual([415, 'application/json'])
  // What begins like JSON is none.
  const alike = { ...request, headers: { ...headers, 'content-type': 'application/json-seq' } }
  expect((await service.request('/api/auth/sign-in/email', alike)).status).toBe(415)
  expect((await service.request('/api/auth/get-session')).headers.get('accept')).toBeNull()
})

test('what leads elsewhere is of no type, and all else of that of JSON', async () => {
  const typeOf = async (path: string) => {
    const { status, headers } = await service.request(path)
    return [status, headers.get('content-type')]
  }

  expect(await typeOf('/api/auth/error')).toEqual([302, null])
  expect(await typeOf('/api/auth/callback/google?error=x')).toEqual([302, null])
  expect(await typeOf('/api/auth/get-session')).toEqual([200, 'application/json'])
  expect(await typeOf('/api/auth/list-sessions')).toEqual([401, 'application/json'])
})

test('a refusal without a code has that of its status, and one of OAuth its own members alone', async () => {
  const { cookie } = await service.createSignedIn('admin')
  const back = await service.request('/api/auth/admin/stop-impersonating', { cookie, json: {} })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const token = await service.request('/api/auth/oauth2/token', { method: 'POST', headers, body: 'grant_type=x' })
  const provider = { json: { provider: 'nothing' }, headers: { origin: service.baseUrl } }

  expect([back.status, await back.json()]).toMatchObject([
    400,
    { code: 'BAD_REQUEST', message: expect.stringContaining('impersonating') },
  ])
  expect([token.status, token.headers.get('content-type')]).toEqual([400, 'application/json'])
  expect(Object.keys((await token.json()) as object)).toEqual(['error', 'error_description'])
  const social = await service.request('/api/auth/sign-in/social', provider)
  expect([social.status, await social.json()]).toMatchObject([404, { code: 'PROVIDER_NOT_FOUND' }])
})

test('what is refused without a word is told in words of its status', async () => {
  const response = await service.request('/api/auth/.well-known/openid-configuration', {
    method: 'POST',
    headers: { origin: service.baseUrl },
  })

  expect([response.status, response.headers.get('content-type')]).toEqual([405, 'application/json'])
  expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
})

test('a path of 512 characters is looked at, and none that is longer', async () => {
  const path = (length: number) => '/api/auth/reset-password/'.padEnd(length, 'x')
  const statusOf = async (length: number) => (await service.request(`${path(length)}?callbackURL=/x`)).status

  expect([await statusOf(512), await statusOf(513)]).toEqual([302, 404])
})

test('who asks names neither where they are nor who we are', async () => {
  const [ip, host] = ['203.0.113.9', 'evil.example']
  const named = {
    [clientAddressHeader]: ip,
    'x-forwarded-for': ip,
    'x-real-ip': ip,
    forwarded: `for=${ip};host=${host}`,
    'x-forwarded-host': host,
    'x-forwarded-proto': 'https',
  }
  const headers = { origin: service.baseUrl, ...named }
  const json = { email: 'somewhere@example.com', name: 'Ada', password }

  const response = await service.request('/api/auth/sign-up/email', { headers, json })

  const { user } = (await response.json()) as { user: { id: string } }
  const sessions = await service.db.selectFrom('session').select('ip_address').where('user_id', '=', user.id).execute()
  expect(sessions).toEqual([{ ip_address: '127.0.0.1' }])
})

test('a key to which a client would bind its token is not heard of: nobody asks for it later', async () => {
  const machine = { redirectUris: [], scopes: [], clientCredentialsScopes: ['users:read'] }
  const { id, secret } = await registerClient(service, machine)
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: basic(id, secret ?? ''),
    dpop: 'a.b.c',
  }
  const body = 'grant_type=client_credentials'

  const response = await service.request('/api/auth/oauth2/token', { method: 'POST', headers, body })

  expect([response.status, await response.json()]).toMatchObject([200, { token_type: 'Bearer' }])
})

test('what comes with a GET means nothing', async () => {
  const head = 'GET /api/auth/get-session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
  const bytes = `${head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]`

  expect((await sendOnce(service, bytes)).status).toBe(200)
})

test('a body without a byte is none, of whatever type', async () => {
  const head = 'POST /api/auth/sign-out HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
  const bytes = `${head}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`

  expect((await sendOnce(service, bytes)).status).toBe(200)
})

test('a sign-out that the database refuses is a failure, and ends nothing', async () => {
  const ada = await service.createSignedIn()
  const signOut = async () => {
    const response = await service.request('/api/auth/sign-out', { cookie: ada.cookie, json: {} })
    return [response.status, response.headers.has('set-cookie'), await sessionOf(ada.cookie)]
  }
  await sql`create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$`.execute(
    service.db,
  )
  const mend = () => sql`drop function if exists refuse cascade`.execute(service.db)
  onTestFinished(async () => void (await mend()))
  await sql`create trigger refuse before delete on session execute function refuse()`.execute(service.db)
  // Better-Auth says that all went well.
  expect(await signOut()).toEqual([500, false, ada.sessionId])

  await mend()
  expect(await signOut()).toEqual([200, true, undefined])
})

test('who is signed in is not taken for nobody when the database refuses to tell', async () => {
  const ada = await service.createSignedIn()
  const statusOf = async () => (await service.request('/api/auth/list-sessions', { cookie: ada.cookie })).status
  await sql`alter table session rename column token to elsewhere`.execute(service.db)
  const mend = () => sql`alter table session rename column elsewhere to token`.execute(service.db)

  const refused = await statusOf()
  await mend()

  expect([refused, await statusOf()]).toEqual([500, 200])
})

async function sessionOf(cookie: string): Promise<string | undefined> {
  const response = await service.request('/api/auth/get-session', { cookie })
  return ((await response.json()) as { session: { id: string } } | null)?.session.id
}
