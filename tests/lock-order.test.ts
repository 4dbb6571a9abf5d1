import { describe, expect, test } from 'vitest'
import { lockAuthority } from '../src/auth/authority.queries.ts'
import type { Tx } from '../src/db/database.ts'
import { createBareClient } from './bare-client.ts'
import { onPostgres } from './database-template.ts'
import { createDoors } from './doors.ts'
import { password, type SignedIn, startServiceForFile } from './harness.ts'
import { countDeadlocks, overlap } from './overlap.ts'
import { registerClient } from './relying-party.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', async () => {
  if (!onPostgres) return
  const service = await startServiceForFile()
  const { db } = service
  const { auth, createMember } = await createDoors(service)
  const client = createBareClient(service, await registerClient(service))
  const newPassword = 'a better horse battery'

  /** Who has signed in twice, and uses an application. */
  async function createBusy() {
    const user = await createMember()
    const { refresh_token } = await client.tokensFor(await service.signIn(user))
    return { ...user, refresh_token }
  }
  type Busy = Awaited<ReturnType<typeof createBusy>>

  // The order in which the routes of /api/v1 lock.
  const lockUser = async (trx: Tx, { id }: SignedIn) => {
    await lockAuthority(trx)
    await trx.selectFrom('user').select('id').where('id', '=', id).forUpdate().execute()
  }
  const ban = (trx: Tx, { id }: SignedIn): Promise<unknown> =>
    trx.updateTable('user').set({ banned: true }).where('id', '=', id).execute()
  const remove = (trx: Tx, { id }: SignedIn): Promise<unknown> => trx.deleteFrom('user').where('id', '=', id).execute()

  const changePassword = (user: SignedIn) => auth(user, '/change-password', { currentPassword: password, newPassword })
  const setPassword = async ({ id }: SignedIn) => {
    await db.updateTable('account').set({ password: newPassword }).where('user_id', '=', id).execute()
    return { status: 200 }
  }
  const deleteSelf = (user: SignedIn) => auth(user, '/delete-user', { password })
  const refresh = ({ refresh_token }: Busy) => client.refresh(refresh_token)

  test.each<[string, string, (user: Busy) => Promise<{ status: number }>, typeof ban, number]>([
    ['deletes themselves', 'banned', deleteSelf, ban, 401],
    ['deletes themselves', 'removed', deleteSelf, remove, 401],
    ['changes their password', 'banned', changePassword, ban, 403],
    ['changes their password', 'removed', changePassword, remove, 401],
    ['is given a password in SQL', 'banned', setPassword, ban, 200],
    ['is given a password in SQL', 'removed', setPassword, remove, 200],
    ['has their tokens refreshed', 'banned', refresh, ban, 400],
    ['has their tokens refreshed', 'removed', refresh, remove, 400],
  ])('who %s while they are %s waits, and nobody for them', async (_what, _end, attempt, end, expected) => {
    const user = await createBusy()
    const before = await countDeadlocks(db)

    const { status } = await overlap(
      db,
      (trx) => lockUser(trx, user),
      () => attempt(user),
      (trx) => end(trx, user),
    )

    expect([status, (await countDeadlocks(db)) - before]).toEqual([expected, 0])
  })

  test('who signs out while their tokens are refreshed is not waited for by both', async () => {
    const user = await createMember()
    const { refresh_token } = await client.tokensFor(user)
    const before = await countDeadlocks(db)

    const { status } = await overlap(
      db,
      (trx) => trx.selectFrom('session').select('id').where('id', '=', user.sessionId).forUpdate().execute(),
      () => client.refresh(refresh_token),
      (trx) => trx.deleteFrom('session').where('id', '=', user.sessionId).execute(),
    )

    expect([status, (await countDeadlocks(db)) - before]).toEqual([200, 0])
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
