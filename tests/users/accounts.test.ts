import { randomUUID } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { expect, test } from 'vitest'
import { startServiceForFile, type TestUser } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { providerEnv } from '../support/provider-env.ts'
import { bodyOf, invalidAt, problemOf } from '../support/wire.ts'

const service = await startServiceForFile({ env: providerEnv })
const { db, request } = service
const admin = await service.createSignedIn('admin')

const Accounts = z.strictObject({
  data: z.array(
    z.strictObject({
      id: z.string(),
      providerId: z.string(),
      accountId: z.string(),
      scopes: z.array(z.string()),
      createdAt: z.iso.datetime(),
      updatedAt: z.iso.datetime(),
    }),
  ),
})

function link({ id }: TestUser, provider_id: string, scope: string | null, at = new Date()) {
  return linkAccount(db, id, { provider_id, scope, created_at: at, updated_at: at })
}

test('the linked accounts are listed oldest first, with their scopes', async () => {
  const ada = await service.createSignedIn()
  const google = await link(ada, 'google', 'openid,email profile', new Date('2021-01-01T00:00:00Z'))
  const github = await link(ada, 'github', null, new Date('2020-01-01T00:00:00Z'))
  const expected = [
    { id: github.id, providerId: 'github', accountId: github.account_id, scopes: [] },
    { id: google.id, providerId: 'google', accountId: google.account_id, scopes: ['openid', 'email', 'profile'] },
  ]

  const { token } = await service.signIn(ada)
  const own = await bodyOf(await request('/api/v1/auth/accounts', { token }), Accounts)

  expect(own.data).toMatchObject(expected)
  expect(own.data[0]).toMatchObject({ createdAt: '2020-01-01T00:00:00.000Z', updatedAt: '2020-01-01T00:00:00.000Z' })
  for (const [id, presented] of [
    ['me', token],
    [ada.id, token],
    [ada.id, admin.token],
  ]) {
    const response = await request(`/api/v1/users/${id}/accounts`, { token: String(presented) })
    expect(await bodyOf(response, Accounts)).toEqual(own)
  }
})

test('a user without accounts has an empty list', async () => {
  const ada = await service.createSignedIn()

  for (const path of ['/auth/accounts', '/users/me/accounts']) {
    expect(await bodyOf(await request(`/api/v1${path}`, { token: ada.token }), Accounts)).toEqual({ data: [] })
  }
})

test('the accounts of others are for who may read users', async () => {
  const [ada, bob] = [await service.createSignedIn(), await service.createUser()]
  const get = async (id: string, token?: string) =>
    problemOf(await request(`/api/v1/users/${id}/accounts`, { ...(token !== undefined && { token }) }))

  expect(await get(bob.id, ada.token)).toEqual({ status: 403, slug: 'forbidden', at: [] })
  expect(await get(randomUUID(), ada.token)).toEqual({ status: 403, slug: 'forbidden', at: [] })
  expect(await get(randomUUID(), admin.token)).toEqual({ status: 404, slug: 'not-found', at: [] })
  expect(await get('a%20b', admin.token)).toEqual(invalidAt('id'))
  expect(await get('me')).toMatchObject({ status: 401, slug: 'unauthenticated' })
})

test('two sign-in methods that are unlinked at once leave one', async () => {
  for (let round = 0; round < 10; round++) {
    const user = await service.createUser()
    const linked = [await link(user, 'google', null), await link(user, 'github', null)]
    const { cookie } = await service.signIn(user)

    const answers = await Promise.all(
      linked.map(({ id }) => request('/api/auth/unlink-account', { cookie, json: { accountId: id } })),
    )

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
    expect(await db.selectFrom('account').select('id').where('user_id', '=', user.id).execute()).toHaveLength(1)
  }
})
