import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { holdAuthority, lockAuthority } from '../../src/auth/authority/authority.queries.ts'
import type { Tx } from '../../src/db/database.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createBareClient } from '../support/bare-client.ts'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { isAnyoneWaiting, overlap, watchDeadlocks } from '../support/overlap.ts'
import { registerClient } from '../support/relying-party.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', async () => {
  if (!onPostgres) return
  const countDeadlocks = watchDeadlocks()
  const service = await startServiceForFile()
  const { db } = service
  const { v1, auth, createMember } = await createDoors(service)
  const client = createBareClient(service, await registerClient(service))
  const newPassword = 'a better horse battery'

  /** Who has signed in twice, uses an application, and has asked for a link to reset their password. */
  async function createBusy() {
    const user = await createMember()
    const { refresh_token } = await client.tokensFor(await service.signIn(user))
    const { email } = user
    await service.request('/api/auth/request-password-reset', { headers: { origin: service.baseUrl }, json: { email } })
    return { ...user, refresh_token, resetToken: mailedToken(service, email) }
  }
  type Attempt = () => Promise<{ status: number }>
  type Busy = Awaited<ReturnType<typeof createBusy>>

  // The order in which the routes of /api/v1 lock.
  const lockUser = async (trx: Tx, { id }: SignedIn) => {
    await lockAuthority(trx)
    await trx.selectFrom('user').select('id').where('id', '=', id).forUpdate().execute()
  }
  const ban = (trx: Tx, { id }: SignedIn): Promise<unknown> =>
    trx.updateTable('user').set({ banned: true }).where('id', '=', id).execute()
  const replacePassword = (trx: Tx, { id }: SignedIn): Promise<unknown> =>
    trx.updateTable('account').set({ password: 'another' }).where('user_id', '=', id).execute()
  const remove = (trx: Tx, { id }: SignedIn): Promise<unknown> => trx.deleteFrom('user').where('id', '=', id).execute()

  const changePassword = (user: SignedIn) => auth(user, '/change-password', { currentPassword: password, newPassword })
  const setPassword = async ({ id }: SignedIn) => {
    await db.updateTable('account').set({ password: newPassword }).where('user_id', '=', id).execute()
    return { status: 200 }
  }
  const deleteSelf = (user: SignedIn) => auth(user, '/delete-user', { password })
  const resetPassword = async ({ resetToken: token }: Busy) =>
    service.request('/api/auth/reset-password', { headers: { origin: service.baseUrl }, json: { token, newPassword } })
  const unlink = (user: SignedIn) => auth(user, '/unlink-account', { providerId: 'google' })
  const refresh = ({ refresh_token }: Busy) => client.refresh(refresh_token)

  test('a deadlock would be counted', async () => {
    const [ada, eve] = [await createMember(), await createMember()]
    const lock = (trx: Tx, { id }: SignedIn) =>
      trx.selectFrom('user').select('id').where('id', '=', id).forUpdate().execute()
    const before = countDeadlocks()

    await overlap(
      db,
      (trx) => lock(trx, ada),
      () => inTransaction(db, async (trx) => [await lock(trx, eve), await lock(trx, ada)]),
      (trx) => lock(trx, eve),
      // Either may be the one that is given up.
    ).catch(() => {})

    expect(countDeadlocks() - before).toBe(1)
  })

  test.each<[string, string, (user: Busy) => Promise<{ status: number }>, typeof ban, number]>([
    ['deletes themselves', 'banned', deleteSelf, ban, 401],
    ['deletes themselves', 'removed', deleteSelf, remove, 401],
    ['changes their password', 'banned', changePassword, ban, 401],
    ['changes their password', 'given another', changePassword, replacePassword, 401],
    ['resets their password', 'banned', resetPassword, ban, 200],
    ['resets their password', 'removed', resetPassword, remove, 400],
    ['resets their password', 'given another', resetPassword, replacePassword, 400],
    ['removes a way to sign in', 'given another password', unlink, replacePassword, 401],
    ['changes their password', 'removed', changePassword, remove, 401],
    ['is given a password in SQL', 'banned', setPassword, ban, 200],
    ['is given a password in SQL', 'removed', setPassword, remove, 200],
    ['has their tokens refreshed', 'banned', refresh, ban, 400],
    ['has their tokens refreshed', 'removed', refresh, remove, 400],
  ])('who %s while they are %s waits, and nobody for them', async (_what, _end, attempt, end, expected) => {
    const user = await createBusy()
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      (trx) => lockUser(trx, user),
      () => attempt(user),
      (trx) => end(trx, user),
    )

    expect([status, countDeadlocks() - before]).toEqual([expected, 0])
  })

  test('who signs out while their tokens are refreshed is not waited for by both', async () => {
    const user = await createMember()
    const { refresh_token } = await client.tokensFor(user)
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      (trx) => trx.selectFrom('session').select('id').where('id', '=', user.sessionId).forUpdate().execute(),
      () => client.refresh(refresh_token),
      (trx) => trx.deleteFrom('session').where('id', '=', user.sessionId).execute(),
    )

    expect([status, countDeadlocks() - before]).toEqual([200, 0])
  })

  async function confirmEmail(user: SignedIn) {
    const newEmail = `${randomUUID()}@example.com`
    await auth(user, '/change-email', { newEmail, password })
    const token = mailedToken(service, newEmail)
    return () => auth(user, '/change-email/confirm', { newEmail, token })
  }
  const patchEmail = (user: SignedIn) => () => v1(user, 'PATCH', '/users/me', { email: `${randomUUID()}@example.com` })

  async function confirmFirst(user: SignedIn) {
    await db.updateTable('user').set({ email_verified: false, valid_after: null }).where('id', '=', user.id).execute()
    await service.request('/api/auth/send-verification-email', {
      headers: { origin: service.baseUrl },
      json: { email: user.email },
    })
    const token = mailedToken(service, user.email)
    return () => auth(user, '/verify-email', { token, password: newPassword })
  }

  test.each<[string, string, (user: SignedIn) => Attempt | Promise<Attempt>]>([
    ['confirms their address with another password', 'user', confirmFirst],
    ['changes their password', 'user', (user) => () => changePassword(user)],
    ['deletes themselves', 'user', (user) => () => deleteSelf(user)],
    ['confirms another address', 'user', confirmEmail],
    ['changes their own address', 'admin', patchEmail],
  ])('who %s while their password is reset waits, and nobody for them', async (_what, role, prepare) => {
    const user = await createMember(role)
    const attempt = await prepare(user)
    const { email } = user
    await service.request('/api/auth/request-password-reset', { headers: { origin: service.baseUrl }, json: { email } })
    const before = countDeadlocks()

    // The order in which a reset locks: its link, then its user.
    const { status } = await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await trx.selectFrom('verification').select('id').where('value', '=', user.id).forUpdate().execute()
      },
      attempt,
      (trx) => trx.selectFrom('user').select('id').where('id', '=', user.id).forUpdate().execute(),
    )

    expect([status, countDeadlocks() - before]).toEqual([200, 0])
  })

  test('who confirms their address with another password while they are given one does not replace that', async () => {
    const user = await createMember()
    const attempt = await confirmFirst(user)

    const { status, refusal } = await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await replacePassword(trx, user)
      },
      attempt,
    )

    expect([status, refusal]).toEqual([400, 'INVALID_TOKEN'])
  })

  test('who makes somebody while their own password is replaced makes nobody', async () => {
    const admin = await createMember('admin')
    const email = `${randomUUID()}@example.com`

    const { cookie } = admin
    const headers = { origin: service.baseUrl }
    const { status } = await overlap(
      db,
      (trx) => replacePassword(trx, admin),
      () => service.request('/api/v1/users', { cookie, headers, json: { email, name: 'Eve' } }),
    )

    expect(status).toBe(401)
    expect(await db.selectFrom('user').select('id').where('email', '=', email).execute()).toEqual([])
  })

  test('two who act as one user take turns, or whoever bans that user would wait for ever', async () => {
    const { id } = await createMember()

    const second = await overlap(
      db,
      (trx) => holdAuthority(trx, id, null),
      () => db.transaction().execute((trx) => holdAuthority(trx, id, null)),
      async () => expect(await isAnyoneWaiting(db)).toBe(true),
    )

    expect(second?.id).toBe(id)
  })

  test('two admins who change the name of each other take turns', async () => {
    const [ada, eve] = [await createMember('admin'), await createMember('admin')]
    const hold = (trx: Tx, { id }: SignedIn) => holdAuthority(trx, id, null)
    const before = countDeadlocks()

    // As Eve does: whom she changes, then herself.
    const { status } = await overlap(
      db,
      async (trx) => {
        await lockAuthority(trx)
        await hold(trx, ada)
      },
      () => v1(ada, 'PATCH', `/users/${eve.id}`, { name: 'Eve' }),
      (trx) => hold(trx, eve),
    )

    expect([status, countDeadlocks() - before]).toEqual([200, 0])
  })

  test('who ends all sessions of theirs while one of them signs out is not waited for by both', async () => {
    const user = await createMember()
    const other = await service.signIn(user)
    // An opaque token has a row, which goes with the session.
    await client.tokensFor(other, { scope: 'openid' })
    const before = countDeadlocks()

    const { status } = await overlap(
      db,
      (trx) => trx.selectFrom('session').select('id').where('id', '=', other.sessionId).forUpdate().execute(),
      () => auth(user, '/revoke-sessions'),
      (trx) => trx.deleteFrom('session').where('id', '=', other.sessionId).execute(),
    )

    expect([status, countDeadlocks() - before]).toEqual([200, 0])
  })

  test('nobody waits for the check of a password', async () => {
    const user = await createMember()
    const statuses = await db.transaction().execute(async (trx) => {
      await lockAuthority(trx)
      const wrong = await auth(user, '/delete-user', { password: 'not this one' })
      return [wrong.status, wrong.refusal]
    })
    expect(statuses).toEqual([400, 'INVALID_PASSWORD'])
  })
})
