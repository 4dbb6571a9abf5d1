import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { lockAuthority } from '../../src/auth/authority/authority.queries.ts'
import { assertStillAuthorized } from '../../src/auth/principal.ts'
import { createBareClient } from '../support/bare-client.ts'
import { onPostgres } from '../support/database-template.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { db, services } = service
await service.createUser({ role: 'admin' })

/** What may happen to an admin between the check of their credential and the change that they asked for. */
const changes: [string, (admin: SignedIn) => Promise<unknown>, string][] = [
  ['banned', ({ id }) => db.updateTable('user').set({ banned: true }).where('id', '=', id).execute(), 'banned'],
  ['demoted', ({ id }) => db.updateTable('user').set({ role: 'user' }).where('id', '=', id).execute(), 'forbidden'],
  ['deleted', ({ id }) => db.deleteFrom('user').where('id', '=', id).execute(), 'session-ended'],
  ['signed out', ({ sessionId }) => db.deleteFrom('session').where('id', '=', sessionId).execute(), 'session-ended'],
]

test.each(changes)('A-13 an admin who was %s meanwhile changes nobody', async (_what, change, slug) => {
  const [admin, user] = [await service.createSignedIn('admin'), await service.createUser()]
  const authenticated = await services.authenticate({ kind: 'bearer', token: admin.token })
  const ban = () =>
    services.actOnUser(authenticated, user.id, (trx) =>
      trx.updateTable('user').set({ banned: true }).where('id', '=', user.id).execute(),
    )

  await change(admin)

  await expect(ban()).rejects.toMatchObject({ slug })
  const row = await db.selectFrom('user').select('banned').where('id', '=', user.id).executeTakeFirst()
  expect(row).toEqual({ banned: false })
})

test.each(changes)('A-13 an admin who was %s meanwhile makes nobody', async (_what, change, slug) => {
  const admin = await service.createSignedIn('admin')
  const authenticated = await services.authenticate({ kind: 'bearer', token: admin.token })
  const email = `${randomUUID()}@example.com`
  const user = { email, name: 'Eve', role: 'admin', emailVerified: true, password: 'correct horse battery' }

  await change(admin)

  await expect(
    services.userAccounts.create(user, (trx) => assertStillAuthorized(trx, services.roles, authenticated)),
  ).rejects.toMatchObject({ slug })
  expect(await db.selectFrom('user').select('id').where('email', '=', email).execute()).toEqual([])
})

test('an application of an admin changes their own account by its scope, whatever role they have', async () => {
  const application = createBareClient(service, await registerClient(service))
  const [admin, user] = [await service.createSignedIn('admin'), await service.createUser()]
  const { access_token: token } = await application.tokensFor(admin, { scope: 'openid account:write' })
  const rename = async (id: string) =>
    (await service.request(`/api/v1/users/${id}`, { method: 'PATCH', token, json: { name: 'Renamed' } })).status

  expect([await rename('me'), await rename(admin.id), await rename(user.id)]).toEqual([200, 200, 403])
})

test('E-13 an application of an admin comes by nothing that they have and it has not, through their own account', async () => {
  const application = createBareClient(
    service,
    await registerClient(service, { scopes: ['openid', 'account:write', 'users:write', 'users:role'] }),
  )
  const [admin, user] = [await service.createSignedIn('admin'), await service.createUser()]
  const address = () => `${randomUUID()}@example.com`
  const ask = async (scope: string, method: string, path: string, json: object) => {
    const { access_token: token } = await application.tokensFor(admin, { scope: `openid account:write ${scope}` })
    const statuses: number[] = []
    for (const id of ['me', admin.id, user.id])
      statuses.push((await service.request(`/api/v1/users/${id}${path}`, { method, token, json })).status)
    return statuses
  }
  const before = await db.selectFrom('user').selectAll().where('id', '=', admin.id).execute()

  expect(await ask('users:write', 'PATCH', '', { emailVerified: true })).toEqual([403, 403, 200])
  expect(await ask('users:write', 'PATCH', '', { email: address() })).toEqual([403, 403, 200])
  expect(await ask('users:role', 'PUT', '/role', { role: 'user' })).toEqual([403, 403, 200])
  expect(await db.selectFrom('user').selectAll().where('id', '=', admin.id).execute()).toEqual(before)
  expect(await ask('users:write', 'PATCH', '', { name: 'Renamed' })).toEqual([200, 200, 200])
  expect((await service.request('/api/v1/users/me/sessions', { method: 'DELETE', token: admin.token })).status).toBe(
    200,
  )
})

test.skipIf(!onPostgres).each<[string, string, string, object?]>([
  ['changes their own name', 'PATCH', '', { name: 'Ada' }],
  ['ends their own sessions', 'DELETE', '/sessions'],
])('who %s does not wait for a change of authority (needs two connections)', async (_what, method, path, json) => {
  const { token } = await service.createSignedIn()
  const status = await db.transaction().execute(async (trx) => {
    await lockAuthority(trx)
    return (await service.request(`/api/v1/users/me${path}`, { method, token, json })).status
  })
  expect(status).toBeLessThan(300)
})
