import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { type BareClient, createBareClient, good, refusalOf, useOf, userInfo } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')
const byAdmin = ({ id }: BareClient, method: string, json?: object) =>
  request(`/api/v1/clients/${id}`, { token: admin.token, method, ...(json && { json }) })

const isOf = (clientId: string, { id }: SignedIn) => sql<boolean>`client_id = ${clientId} and user_id = ${id}`

const ends: [name: string, end: (client: BareClient, user: SignedIn) => Promise<unknown>][] = [
  [
    'the user ends the grant',
    ({ id }, { cookie }) => request(`/api/v1/users/me/grants/${id}`, { cookie, method: 'DELETE' }),
  ],
  [
    'an admin ends the grant',
    ({ id }, user) => request(`/api/v1/users/${user.id}/grants/${id}`, { token: admin.token, method: 'DELETE' }),
  ],
  [
    'the grant is ended in SQL',
    ({ id }, user) => db.updateTable('oauth_grant').set({ ended_at: sql`now()` }).where(isOf(id, user)).execute(),
  ],
  ['the grant is deleted in SQL', ({ id }, user) => db.deleteFrom('oauth_grant').where(isOf(id, user)).execute()],
  ['the client is deleted', (client) => byAdmin(client, 'DELETE')],
  ['the client is disabled', (client) => byAdmin(client, 'PATCH', { disabled: true })],
  [
    'the client is disabled, and enabled again',
    async (client) => {
      await byAdmin(client, 'PATCH', { disabled: true })
      return byAdmin(client, 'PATCH', { disabled: false })
    },
  ],
]

describe.each(ends)('A-17 once %s', (_what, end) => {
  test('all that the client holds for the user is over, and what another holds is not', async () => {
    const [client, other] = [
      createBareClient(service, await registerClient(service)),
      createBareClient(service, await registerClient(service)),
    ]
    const user = await service.createSignedIn()
    const [tokens, others] = [await client.tokensFor(user), await other.tokensFor(user)]
    const opaque = (await client.tokensFor(user, { scope: 'openid' })).access_token
    expect(await useOf(service, client, tokens)).toEqual(good)
    expect((await userInfo(service, opaque)).status).toBe(200)

    await end(client, user)

    expect((await request('/api/v1/auth/me', { token: tokens.access_token })).status).toBe(401)
    expect([(await userInfo(service, tokens.access_token)).status, (await userInfo(service, opaque)).status]).toEqual([
      401, 401,
    ])
    expect(refusalOf(await client.refresh(tokens.refresh_token))[0]).toBeGreaterThanOrEqual(400)
    expect(await useOf(service, other, others)).toEqual(good)
  })
})

test('A-17 a client that is deleted is there no more, nor is what it was given for itself', async () => {
  const client = createBareClient(service, await registerClient(service, { clientCredentialsScopes: ['users:read'] }))
  const { body } = await client.send('token', { grant_type: 'client_credentials' })
  const users = () => request('/api/v1/users', { token: String(body['access_token']) })
  expect([(await byAdmin(client, 'GET')).status, (await users()).status]).toEqual([200, 200])
  expect((await byAdmin(client, 'DELETE')).status).toBe(204)
  expect([(await byAdmin(client, 'GET')).status, (await users()).status]).toEqual([404, 401])
})
