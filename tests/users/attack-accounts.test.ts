import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { providerEnv } from '../support/provider-env.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db, request, baseUrl } = service
const admin = await service.createSignedIn('admin')

const secrets = {
  access_token: 'canary-access-token',
  refresh_token: 'canary-refresh-token',
  id_token: 'canary-id-token',
  password: 'canary-password-hash',
}

/** Somebody with two ways to sign in; returns the id of that by GitHub. */
async function linked(): Promise<SignedIn & { accountId: string }> {
  const user = await service.createUser()
  const accountId = randomUUID()
  const row = { user_id: user.id, ...secrets, scope: 'read:user', updated_at: new Date() }
  await db
    .insertInto('account')
    .values([
      { ...row, id: accountId, provider_id: 'github', account_id: randomUUID() },
      { ...row, id: randomUUID(), provider_id: 'credential', account_id: user.id },
    ])
    .execute()
  return { ...(await service.signIn(user)), accountId }
}

const accountsOf = ({ id }: SignedIn) =>
  db.selectFrom('account').selectAll().where('user_id', '=', id).orderBy('id').execute()

test('I-03 no list of accounts holds a token or a hash, and each holds the scopes', async () => {
  const user = await linked()
  const paths = ['/api/v1/auth/accounts', '/api/v1/users/me/accounts', '/api/auth/list-accounts']

  for (const [path, cookie] of [
    ...paths.map((one) => [one, user.cookie]),
    [`/api/v1/users/${user.id}/accounts`, admin.cookie],
  ]) {
    const response = await request(String(path), { cookie: String(cookie) })
    const text = await response.text()
    expect([path, response.status]).toEqual([path, 200])
    expect(text).toContain('"scopes":["read:user"]')
    expect(text).not.toMatch(/canary|token|hash|password"/i)
  }
})

describe('O-07 the accounts that are shown', () => {
  const idsAt = async (path: string, { cookie }: SignedIn) => {
    const response = await request(path, { cookie })
    expect(response.status).toBe(200)
    const body = (await response.json()) as { data: { id: string }[] } | { id: string }[]
    return (Array.isArray(body) ? body : body.data).map(({ id }) => id).toSorted()
  }

  test.each(['/api/auth/list-accounts', '/api/v1/auth/accounts'])(
    'at %s are one’s own, whoever the query asks for',
    async (path) => {
      const [ada, bob] = [await linked(), await linked()]
      const own = (await accountsOf(ada)).map(({ id }) => id)

      for (const query of ['', `?userId=${bob.id}`, `?id=${bob.id}`])
        expect(await idsAt(path + query, ada)).toEqual(own)
    },
  )
})

describe('O-09 the account of somebody else', () => {
  type Use = (caller: { cookie?: string }, choice: Record<string, string>) => Promise<Response>
  const post =
    (path: string): Use =>
    (caller, json) =>
      request(`/api/auth${path}`, { ...caller, json, headers: { origin: baseUrl } })
  const uses: [name: string, use: Use][] = [
    ['a token of a provider', post('/get-access-token')],
    ['a new token of a provider', post('/refresh-token')],
    [
      'its profile',
      (caller, choice) => request(`/api/auth/account-info?${new URLSearchParams(choice).toString()}`, caller),
    ],
    ['its end', post('/unlink-account')],
  ]

  test.each(uses)('does not give %s', async (_what, use) => {
    const [ada, bob] = [await linked(), await linked()]
    const before = await accountsOf(bob)
    const { accountId } = bob

    for (const choice of [{ accountId }, { accountId, userId: bob.id }]) {
      const response = await use({ cookie: ada.cookie }, choice)
      expect(response.status).toBe(400)
      expect(await response.text()).not.toContain('canary')
    }
    expect((await use({}, { accountId, userId: bob.id })).status).toBe(401)
    expect(await accountsOf(bob)).toEqual(before)
  })

  test('gives them to its owner', async () => {
    const { cookie, accountId } = await linked()

    const token = await request('/api/auth/get-access-token', { cookie, json: { accountId } })
    expect(await token.json()).toMatchObject({ accessToken: 'canary-access-token' })
    expect((await request('/api/auth/unlink-account', { cookie, json: { accountId } })).status).toBe(200)
  })
})
