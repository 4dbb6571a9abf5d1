import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { lockAuthority, lockRole } from '../../src/auth/authority/authority.queries.ts'
import { syncOAuth } from '../../src/auth/oauth/first-party-clients.queries.ts'
import { firstPartyClients } from '../../src/auth/oauth/first-party-clients.ts'
import { excludeClient, holdClient } from '../../src/auth/oauth/oauth.queries.ts'
import type { Tx } from '../../src/db/database.ts'
import { type BareClient, createBareClient } from '../support/bare-client.ts'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { overlap, watchDeadlocks } from '../support/overlap.ts'
import { redirectUri, registerClient } from '../support/relying-party.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', async () => {
  if (!onPostgres) return
  const countDeadlocks = watchDeadlocks()
  const service = await startServiceForFile()
  const { db } = service
  const { v1, createMember } = await createDoors(service)
  const client = createBareClient(service, await registerClient(service))

  /** Makes another refresh token of a client. */
  const copyTokenOf = (trx: Tx, id: string) =>
    sql`insert into oauth_refresh_token
      select (jsonb_populate_record(t, '{"id": "another", "token": "another"}')).* from oauth_refresh_token as t
      where client_id = ${id}`.execute(trx)

  /** Who uses an application. */
  async function createUserOf(application: BareClient) {
    const user = await createMember()
    const { refresh_token } = await application.tokensFor(user)
    return { ...user, refresh_token }
  }
  type UserOfClient = SignedIn & { refresh_token: string }

  test.each<[string, (own: BareClient, user: UserOfClient) => Promise<{ status: number }>]>([
    ['refreshed', (own, { refresh_token }) => own.refresh(refresh_token)],
    ['presented by another', (_own, { refresh_token }) => client.refresh(refresh_token)],
    ['given back', (own, { refresh_token }) => own.revoke(refresh_token)],
    ['ended by their user', (own, user) => v1(user, 'DELETE', `/users/me/grants/${own.id}`)],
  ])('tokens that are %s while their client is deleted wait, and it does not', async (_what, attempt) => {
    const own = createBareClient(service, await registerClient(service))
    const user = await createUserOf(own)
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await excludeClient(trx, own.id)
        await trx.deleteFrom('oauth_refresh_token').where('client_id', '=', own.id).execute()
      },
      () => attempt(own, user),
      (trx) => trx.deleteFrom('oauth_client').where('client_id', '=', own.id).execute(),
    )

    expect([Math.floor(status / 100), countDeadlocks() - before]).toEqual([4, 0])
  })

  test('tokens that are refreshed while their grant is ended in SQL wait, and it does not', async () => {
    const user = await createUserOf(client)
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      (trx) => trx.selectFrom('oauth_grant').select('user_id').where('user_id', '=', user.id).forUpdate().execute(),
      () => client.refresh(user.refresh_token),
      (trx) => trx.deleteFrom('oauth_grant').where('user_id', '=', user.id).execute(),
    )

    expect([status, countDeadlocks() - before]).toEqual([400, 0])
  })

  test.each<[string, (admin: SignedIn, id: string) => Promise<{ status: number }>]>([
    ['makes a client', (admin) => v1(admin, 'POST', '/clients', { name: 'Made', redirectUris: [redirectUri] })],
    ['changes one', (admin, id) => v1(admin, 'PATCH', `/clients/${id}`, { name: 'Changed' })],
    ['gives one another secret', (admin, id) => v1(admin, 'POST', `/clients/${id}/secret`)],
    ['deletes one', (admin, id) => v1(admin, 'DELETE', `/clients/${id}`)],
  ])('A-13 an admin who %s while they are banned waits, and does not', async (_what, attempt) => {
    const [admin] = [await createMember('admin'), await createMember('admin')]
    const { id } = await registerClient(service)
    const clients = () => db.selectFrom('oauth_client').selectAll().orderBy('id').execute()
    const before = await clients()

    const { status } = await overlap(
      db,
      (trx) => trx.updateTable('user').set({ banned: true }).where('id', '=', admin.id).execute(),
      () => attempt(admin, id),
    )

    expect([status, await clients()]).toEqual([401, before])
  })

  test('a client that is deleted while a token of it is exchanged waits, and the exchange does not', async () => {
    const own = createBareClient(service, await registerClient(service))
    await createUserOf(own)
    const admin = await createMember('admin')
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      async (trx) => {
        await holdClient(trx, own.id)
        await trx
          .updateTable('oauth_refresh_token')
          .set({ revoked: new Date() })
          .where('client_id', '=', own.id)
          .execute()
      },
      () => v1(admin, 'DELETE', `/clients/${own.id}`),
      (trx) => copyTokenOf(trx, own.id),
    )

    const tokens = db.selectFrom('oauth_refresh_token').select('id').where('client_id', '=', own.id)
    expect([status, await tokens.execute(), countDeadlocks() - before]).toEqual([204, [], 0])
  })

  test('a client that is changed while its maker is deleted waits, and the deletion does not', async () => {
    const [admin] = [await createMember('admin'), await createMember('admin')]
    const { body } = await v1(admin, 'POST', '/clients', { name: 'Made', redirectUris: [redirectUri] })
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await lockRole(trx, admin.id)
      },
      () => v1(admin, 'PATCH', `/clients/${(body as { id: string }).id}`, { name: 'Changed' }),
      (trx) => trx.deleteFrom('user').where('id', '=', admin.id).execute(),
    )

    expect([status, countDeadlocks() - before]).toEqual([401, 0])
  })

  test('A-13 who makes a client by an application that is disabled meanwhile waits, and does not', async () => {
    const own = createBareClient(service, await registerClient(service, { scopes: ['openid', 'clients:manage'] }))
    const { access_token } = await own.tokensFor(await createMember('admin'), { scope: 'openid clients:manage' })
    const make = () => v1({ token: access_token }, 'POST', '/clients', { name: 'By one', redirectUris: [redirectUri] })
    const made = db.selectFrom('oauth_client').select('name').where('name', '=', 'By one')
    expect((await make()).status).toBe(201)

    const { status } = await overlap(
      db,
      async (trx) => {
        await excludeClient(trx, own.id)
        await trx.updateTable('oauth_client').set({ disabled: true }).where('client_id', '=', own.id).execute()
      },
      make,
    )

    expect([status, await made.execute()]).toEqual([401, [{ name: 'By one' }]])
  })

  /** What a start does with the clients of auth.config.ts. */
  const start = () => syncOAuth(db, `${service.baseUrl}/api/v1`, firstPartyClients(authConfig, service.baseUrl))

  /** A client that was in auth.config.ts, with a token. */
  async function createFormer() {
    const own = createBareClient(service, await registerClient(service))
    await createUserOf(own)
    await db.updateTable('oauth_client').set({ is_configured: true }).where('client_id', '=', own.id).execute()
    return own
  }

  test('a client that is left out of auth.config.ts keeps no token that was being made', async () => {
    const { id } = await createFormer()

    await overlap(
      db,
      async (trx) => {
        await holdClient(trx, id)
        await copyTokenOf(trx, id)
      },
      start,
    )

    const tokens = db.selectFrom('oauth_refresh_token').select('id').where('client_id', '=', id)
    expect(await tokens.execute()).toEqual([])
  })

  test('a client that is left out of auth.config.ts while it is changed waits, and the change does not', async () => {
    const { id } = await createFormer()
    const before = countDeadlocks()

    await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await excludeClient(trx, id)
      },
      start,
      (trx) => trx.selectFrom('oauth_client').select('id').where('client_id', '=', id).forUpdate().execute(),
    )

    expect(countDeadlocks()).toBe(before)
    const disabled = db.selectFrom('oauth_client').select('disabled').where('client_id', '=', id)
    expect(await disabled.execute()).toEqual([{ disabled: true }])
  })

  test('who changes something by an application waits for a change of it with nothing locked', async () => {
    const own = createBareClient(service, await registerClient(service))
    const user = await createMember()
    const { access_token } = await own.tokensFor(user, { scope: 'openid account:write' })

    const { status, refusal } = await overlap(
      db,
      (trx) => excludeClient(trx, own.id),
      () => v1({ token: access_token }, 'PATCH', '/users/me', { name: 'Eve' }),
      (trx) => trx.selectFrom('user').select('id').where('id', '=', user.id).forUpdate().noWait().execute(),
    )

    expect([status, refusal]).toEqual([200, undefined])
  })
})
