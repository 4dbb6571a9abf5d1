import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createEmailVerificationToken } from 'better-auth/api'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { overlap } from '../support/overlap.ts'
import { age } from '../support/session-age.ts'

// What is found out before a request waits may be otherwise when it goes on.

const helper = ['users:read', 'users:write', 'users:role'] as const
const service = await startServiceForFile({
  auth: { ...authConfig, roles: new Map([...authConfig.roles, ['moderator', new Set(helper)]]) },
})
const { db } = service
const { auth, createMember } = await createDoors(service)
const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Ada', password })

/** Who has a session that is to be prolonged. */
async function createDue(): Promise<SignedIn> {
  const user = await createMember()
  await age(service, user, 2 * 86_400_000)
  return user
}

const openSession = ({ cookie }: SignedIn) => service.request('/api/auth/get-session', { cookie })

test.skipIf(onPostgres)('the session of a user who is removed is not prolonged (needs one connection)', async () => {
  const { sessionCookies } = service.services
  const user = await createDue()
  const { isOld } = sessionCookies
  const watch = vi.spyOn(sessionCookies, 'isOld').mockImplementation((expiresAt) => {
    // It comes before whatever is asked next.
    void db.deleteFrom('user').where('id', '=', user.id).execute()
    return isOld(expiresAt)
  })
  onTestFinished(() => watch.mockRestore())

  const response = await openSession(user)

  expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
  expect(watch).toHaveBeenCalled()
})

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', () => {
  test('a session that is ended while it is read is not prolonged', async () => {
    const user = await createDue()

    const response = await overlap(
      db,
      (trx) => trx.deleteFrom('session').where('id', '=', user.sessionId).execute(),
      () => openSession(user),
    )

    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
    expect(await response.json()).toMatchObject({ session: { expiresAt: expect.any(String) as string } })
  })

  test('an admin who is removed makes nobody', async () => {
    const [admin] = [await createMember('admin'), await createMember('admin')]
    const user = newUser()

    const { status } = await overlap(
      db,
      (trx) => trx.deleteFrom('user').where('id', '=', admin.id).execute(),
      () => auth(admin, '/admin/create-user', user),
    )

    expect(status).toBe(401)
    expect(await db.selectFrom('user').select('id').where('email', '=', user.email).execute()).toEqual([])
  })

  test('A-13 an admin who is made a moderator makes no other admin', async () => {
    const [admin] = [await createMember('admin'), await createMember('admin')]
    const user = newUser()

    const { status } = await overlap(
      db,
      (trx) => trx.updateTable('user').set({ role: 'moderator' }).where('id', '=', admin.id).execute(),
      () => auth(admin, '/admin/create-user', { ...user, role: 'admin' }),
    )

    expect(status).toBe(401)
    expect(await db.selectFrom('user').select('id').where('email', '=', user.email).execute()).toEqual([])
  })

  test('the address of a user who is removed is not confirmed', async () => {
    const user = newUser()
    const id = await service.services.userAccounts.create({ ...user, role: 'user', emailVerified: false })
    const token = await createEmailVerificationToken((await service.services.auth.$context).secret, user.email)

    const response = await overlap(
      db,
      async (trx) => {
        // The user is found; what they may do is read with their sessions.
        await sql`lock table session in access exclusive mode`.execute(trx)
        await trx.deleteFrom('user').where('id', '=', id).execute()
      },
      () =>
        service.request('/api/auth/verify-email', {
          headers: { origin: service.baseUrl },
          json: { token, password },
        }),
    )

    expect(await response.json()).toMatchObject({ code: 'INVALID_TOKEN' })
  })

  test('a link to another address, asked for with the former password, does not outlive it', async () => {
    const user = await createMember()
    const another = await (await service.services.auth.$context).password.hash('another password')

    const { status } = await overlap(
      db,
      async (trx) => {
        await sql`lock table verification in access exclusive mode`.execute(trx)
        await trx.updateTable('account').set({ password: another }).where('user_id', '=', user.id).execute()
      },
      () => auth(user, '/change-email', { newEmail: newUser().email, password }),
    )

    expect(status).toBe(401)
    expect(await db.selectFrom('verification').select('id').where('value', '=', user.id).execute()).toEqual([])
  })

  test.each([
    ['by another', 'another password', [400, 'INVALID_PASSWORD']],
    ['by the same', password, [401, 'UNAUTHORIZED']],
  ])('a password that is replaced %s once it is checked changes no address', async (_what, next, expected) => {
    const user = await createMember()
    const { password: passwords } = await service.services.auth.$context
    const [{ verify }, another] = [passwords, await passwords.hash(next)]
    const events = new EventEmitter()
    const watch = vi.spyOn(passwords, 'verify').mockImplementationOnce(async (asked) => {
      const [isRight, replaced] = [await verify(asked), once(events, 'replaced')]
      events.emit('right')
      await replaced
      return isRight
    })
    onTestFinished(() => watch.mockRestore())

    const right = once(events, 'right')
    const asking = auth(user, '/change-email', { newEmail: newUser().email, password })
    await right
    const { status, refusal } = await overlap(
      db,
      async (trx) => {
        // Whoever asks still finds the session, and waits for the account.
        await sql`lock table account in access exclusive mode`.execute(trx)
        await trx.updateTable('account').set({ password: another }).where('user_id', '=', user.id).execute()
        events.emit('replaced')
      },
      () => asking,
    )

    expect([status, refusal]).toEqual(expected)
  })
})
