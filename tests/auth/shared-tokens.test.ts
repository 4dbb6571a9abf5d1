import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { type SignedIn, startServiceForFile, type TestService } from '../support/harness.ts'
import { frontEnd, hs256, type Members, nowSeconds, sessionClaims } from '../support/tokens.ts'

const service = await startServiceForFile({
  env: frontEnd.env,
})
const without = await startServiceForFile()

function sharedToken(of: TestService, user: SignedIn, changes: Members = {}, header: Members = {}): string {
  const claims = sessionClaims(of, user, { iss: frontEnd.issuer, sid: undefined, ...changes })
  return hs256(frontEnd.secret, claims, header)
}

async function me({ request }: TestService, token: string) {
  const response = await request('/api/v1/auth/me', { token })
  const { id, type } = (await response.json()) as { id?: string; type?: string }
  return id ?? type
}

test('a token of the trusted front end opens the account of its user', async () => {
  const user = await service.createSignedIn()

  expect(await me(service, sharedToken(service, user))).toBe(user.id)
  expect(await me(service, sharedToken(service, user, {}, { typ: 'JWT' }))).toBe(user.id)
})

test('it is authenticated by HMAC with SHA-256, whole, and nothing else', async () => {
  const user = await service.createSignedIn()
  const token = sharedToken(service, user)
  const input = token.slice(0, token.lastIndexOf('.'))
  const tag = Buffer.from(token.slice(input.length + 1), 'base64url')

  for (const alg of ['HS512', 'none', 'hs256', ''])
    expect(await me(service, sharedToken(service, user, {}, { alg }))).toBe('/problems/invalid-token')
  for (const other of [tag.subarray(0, 16), Buffer.concat([tag, tag])])
    expect(await me(service, `${input}.${other.toString('base64url')}`)).toBe('/problems/invalid-token')
})

test('it has the permissions of the role in the database, and no session', async () => {
  const [admin, user] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const list = (token: string) => service.request('/api/v1/users', { token })

  expect((await list(sharedToken(service, admin))).status).toBe(200)
  expect((await list(sharedToken(service, user, { role: 'admin' }))).status).toBe(403)
  const session = await service.request('/api/v1/auth/session', { token: sharedToken(service, admin) })
  expect(session.status).toBe(404)
})

test('it changes what its user may change', async () => {
  const user = await service.createSignedIn()
  const json = { name: 'Renamed' }
  const response = await service.request('/api/v1/users/me', {
    method: 'PATCH',
    token: sharedToken(service, user),
    json,
  })

  expect([response.status, await response.json()]).toMatchObject([200, { id: user.id, name: 'Renamed' }])
})

test('it opens nothing where no secret is configured', async () => {
  const user = await without.createSignedIn()

  expect(await me(without, sharedToken(without, user))).toBe('/problems/invalid-token')
})

test('it is good in the very second in which its user was made, with a password', async () => {
  const admin = await service.createSignedIn('admin')
  const json = {
    email: `${randomBytes(8).toString('hex')}@example.com`,
    name: 'Ada',
    password: 'correct horse battery',
  }
  const response = await service.request('/api/v1/users', { json, token: admin.token })
  const user = (await response.json()) as SignedIn

  expect(await me(service, sharedToken(service, user))).toBe(user.id)
})

test('it opens the account of a user who was not there a moment before', async () => {
  await vi.waitUntil(() => service.services.authority.gauges().heartbeatAge < 2_000)
  const { db } = service
  const user = await service.createSignedIn()
  const row = await db.selectFrom('user').selectAll().where('id', '=', user.id).executeTakeFirstOrThrow()
  await db.deleteFrom('user').where('id', '=', user.id).execute()
  const token = sharedToken(service, user)

  expect(await me(service, token)).toBe('/problems/session-ended')
  await db.insertInto('user').values(row).execute()
  expect(await me(service, token)).toBe(user.id)
})

test('it is judged by valid_after in whole seconds', async () => {
  const user = await service.createSignedIn()
  const second = nowSeconds() - 100
  const valid_after = new Date(second * 1_000 + 900)
  await service.db.updateTable('user').set({ valid_after }).where('id', '=', user.id).execute()

  expect(await me(service, sharedToken(service, user, { iat: second - 1 }))).toBe('/problems/session-ended')
  expect(await me(service, sharedToken(service, user, { iat: second }))).toBe('/problems/session-ended')
  expect(await me(service, sharedToken(service, user, { iat: second + 1 }))).toBe(user.id)
})

test.each<[string, (user: SignedIn) => Promise<unknown>, string]>([
  [
    'the user is banned',
    ({ id }) => service.db.updateTable('user').set({ banned: true }).where('id', '=', id).execute(),
    'banned',
  ],
  ['the user is deleted', ({ id }) => service.db.deleteFrom('user').where('id', '=', id).execute(), 'session-ended'],
  [
    'all sessions of the user are revoked through /api/v1',
    ({ token }) => service.request('/api/v1/users/me/sessions', { method: 'DELETE', token }),
    'session-ended',
  ],
  [
    'the other sessions of the user are revoked through Better-Auth',
    ({ cookie }) => service.request('/api/auth/revoke-other-sessions', { method: 'POST', cookie, json: {} }),
    'session-ended',
  ],
  [
    'all sessions of the user are revoked through Better-Auth',
    ({ cookie }) => service.request('/api/auth/revoke-sessions', { method: 'POST', cookie, json: {} }),
    'session-ended',
  ],
])('it ends when %s', async (_name, change, problem) => {
  const user = await service.createSignedIn()
  const token = sharedToken(service, user, { iat: nowSeconds() - 1 })
  expect(await me(service, token)).toBe(user.id)

  await change(user)

  expect(await me(service, token)).toBe(`/problems/${problem}`)
})
