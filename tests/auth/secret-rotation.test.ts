import { randomBytes } from 'node:crypto'
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto'
import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, secret, startService, type TestDatabase, type TestService } from '../support/harness.ts'

const newSecret = randomBytes(32).toString('base64url')
const rotated = { BETTER_AUTH_SECRET: '', BETTER_AUTH_SECRETS: `2:${newSecret},1:${secret}` }

async function testDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  return database
}

/** What a cookie, and the same as a bearer token, open at each door. */
async function statusesOf({ request }: TestService, cookie: string): Promise<Record<string, number>> {
  const token = cookie.slice(cookie.indexOf('=') + 1)
  const session = await (await request('/api/auth/get-session', { cookie })).json()
  const bearing = await (await request('/api/auth/get-session', { token: decodeURIComponent(token) })).json()
  return {
    api: (await request('/api/v1/auth/me', { cookie })).status,
    token: (await request('/api/auth/token', { cookie })).status,
    session: session === null ? 401 : 200,
    bearer: bearing === null ? 401 : 200,
    page: (await request('/account', { cookie })).status,
  }
}

const good = { api: 200, token: 200, session: 200, bearer: 200, page: 200 }

test.each([
  ['numbered', rotated],
  ['before numbers', { BETTER_AUTH_SECRET: secret, BETTER_AUTH_SECRETS: `1:${newSecret}` }],
])('R-25 cookies, keys and tokens of the former secret, %s, stay good, and the new one signs', async (_which, env) => {
  const database = await testDatabase()
  const before = await startService({ database })
  const ada = await before.createSignedIn()
  const { secretConfig: former } = await before.services.auth.$context
  const providersToken = await symmetricEncrypt({ key: former, data: 'a token of a provider' })
  await before.stop()

  const after = await startService({ database, env: { ...env, BETTER_AUTH_URL: before.baseUrl } })
  const { secretConfig: key } = await after.services.auth.$context
  expect(await symmetricDecrypt({ key, data: providersToken })).toBe('a token of a provider')
  expect(await statusesOf(after, ada.cookie)).toEqual(good)
  expect((await after.request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
  expect(await after.db.selectFrom('jwks').select('id').execute()).toHaveLength(1)

  const forged = encodeURI(`${decodeURIComponent(ada.cookie).slice(0, -10)}AAAAAAAAA=`)
  expect(await statusesOf(after, forged)).toEqual({ api: 401, token: 401, session: 401, bearer: 401, page: 303 })
  const email = 'new@example.com'
  const signUp = await after.request('/api/auth/sign-up/email', {
    headers: { origin: after.baseUrl },
    json: { email, password: 'correct horse battery', name: 'Bob' },
  })
  const [cookie = ''] = (signUp.headers.getSetCookie()[0] ?? '').split(';')
  expect(await statusesOf(after, cookie)).toEqual(good)
  await after.stop()

  // What the new secret has signed is nothing to whoever has the old one alone, which is told so at once.
  const old = await startService({ database, env: { BETTER_AUTH_URL: before.baseUrl } })
  onTestFinished(() => old.stop())
  expect(await statusesOf(old, ada.cookie)).toEqual(good)
  expect((await statusesOf(old, cookie))['api']).toBe(401)
})

test('R-25 a wrong secret ends the start in one line and makes no key, even where one is due', async () => {
  const database = await testDatabase()
  const before = await startService({ database })
  await before.db
    .updateTable('jwks')
    .set({ expires_at: new Date(Date.now() + 60_000) })
    .execute()
  await before.stop()

  const wrong = { BETTER_AUTH_SECRET: newSecret }
  await expect(startService({ database, env: wrong })).rejects.toThrow('BETTER_AUTH_SECRET: is not the one')
  const again = await startService({ database, env: rotated })
  onTestFinished(() => again.stop())
  // The one that was due, and none of the start that failed.
  expect(await again.db.selectFrom('jwks').select('id').execute()).toHaveLength(2)
})
