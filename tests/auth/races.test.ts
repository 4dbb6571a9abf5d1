import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { type Answer, createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { isAnyoneWaiting } from '../support/overlap.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', async () => {
  if (!onPostgres) return
  const service = await startServiceForFile()
  const { db } = service
  const { v1, auth, createMember } = await createDoors(service)

  const activeAdmins = () =>
    db.selectFrom('user').select('id').where('role', '=', 'admin').where('banned', '=', false).execute()

  /** Two admins, and no other. */
  async function twoAdmins(): Promise<[SignedIn, SignedIn]> {
    const pair: [SignedIn, SignedIn] = [await createMember('admin'), await createMember('admin')]
    const ids = pair.map(({ id }) => id)
    await db.updateTable('user').set({ role: 'user' }).where('role', '=', 'admin').where('id', 'not in', ids).execute()
    return pair
  }

  /** Makes both admins again, as the race left one of them. */
  const restore = (pair: SignedIn[]) => {
    const ids = pair.map(({ id }) => id)
    return db.updateTable('user').set({ role: 'admin', banned: false }).where('id', 'in', ids).execute()
  }

  test.each(['read committed', 'repeatable read', 'serializable'] as const)(
    'two admins who demote each other in SQL at %s leave one',
    async (isolation) => {
      const pair = await twoAdmins()
      const demote = ({ id }: SignedIn) =>
        db
          .transaction()
          .setIsolationLevel(isolation)
          .execute(async (trx) => {
            // The snapshot is taken before either waits for the other.
            await trx.selectFrom('user').select('id').where('id', '=', id).execute()
            await trx.updateTable('user').set({ role: 'user' }).where('id', '=', id).execute()
          })
      const codes = new Set<string>()

      for (let round = 0; round < 200; round++) {
        const outcomes = await Promise.allSettled(pair.map(demote))
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') codes.add((outcome.reason as { code: string }).code)
        }
        expect(await activeAdmins()).toHaveLength(1)
        await restore(pair)
      }

      // The rule of the last admin, or a conflict; never a deadlock.
      expect([...codes].filter((code) => code !== '23514' && code !== '40001')).toEqual([])
    },
    120_000,
  )

  test.each<[string, number, (actor: SignedIn, other: SignedIn) => Promise<{ status: number }>]>([
    [
      'demote each other through /api/v1',
      403,
      (actor, { id }) => v1(actor, 'PUT', `/users/${id}/role`, { role: 'user' }),
    ],
    [
      'demote each other through Better-Auth',
      403,
      (actor, { id }) => auth(actor, '/admin/set-role', { userId: id, role: 'user' }),
    ],
    ['demote themselves through /api/v1', 409, (actor) => v1(actor, 'PUT', '/users/me/role', { role: 'user' })],
  ])(
    'two admins who %s leave one: the later is answered %i',
    async (_name, refused, attempt) => {
      const [ada, eve] = await twoAdmins()

      for (let round = 0; round < 200; round++) {
        const answers = await Promise.all([attempt(ada, eve), attempt(eve, ada)])
        expect(statusesOf(answers)).toEqual([200, refused])
        expect(await activeAdmins()).toHaveLength(1)
        await restore([ada, eve])
      }
    },
    120_000,
  )

  test('two admins who ban each other through both doors leave one', async () => {
    const statuses = new Set<number>()
    for (let round = 0; round < 20; round++) {
      const [ada, eve] = await twoAdmins()
      const answers = await Promise.all([
        v1(ada, 'POST', `/users/${eve.id}/ban`),
        auth(eve, '/admin/ban-user', { userId: ada.id }),
      ])
      for (const { status } of answers) statuses.add(status)
      expect(await activeAdmins()).toHaveLength(1)
      await restore([ada, eve])
    }
    expect([...statuses].filter((status) => status >= 500)).toEqual([])
  })

  const remove = (actor: SignedIn, { id }: SignedIn) => auth(actor, '/admin/remove-user', { userId: id })
  const leave = (actor: SignedIn) => auth(actor, '/delete-user', { password })

  const erase = (actor: SignedIn, { id }: SignedIn) => v1(actor, 'DELETE', `/users/${id}`)

  type Later = (attempt: () => Promise<Answer>) => Promise<Answer>

  test.each<[string, string[], (ada: SignedIn, eve: SignedIn, later: Later) => Promise<Answer>[]]>([
    ['remove each other', ['200 401', '401 200'], (ada, eve) => [remove(ada, eve), remove(eve, ada)]],
    ['delete themselves', ['200 409', '409 200'], (ada, eve) => [leave(ada), leave(eve)]],
    [
      'delete themselves through one door and the other through the other',
      ['200 401', '409 204'],
      (ada, eve, later) => [leave(ada), later(() => erase(ada, eve))],
    ],
    [
      'delete the other who deletes themselves',
      // 400 where the account went before its password was read.
      ['200 404', '401 204', '400 204'],
      (ada, eve, later) => [leave(ada), later(() => erase(eve, ada))],
    ],
    [
      'remove the other who deletes themselves',
      ['200 404', '401 200', '400 200'],
      (ada, eve, later) => [leave(ada), later(() => remove(eve, ada))],
    ],
  ])('two admins who %s leave one, whole', async (_name, possible, attempts) => {
    const outcomes = new Set<string>()
    for (let round = 0; round < 30; round++) {
      const pair = await twoAdmins()
      // A password takes a tenth of a second to check: what needs none is spread over it.
      const later: Later = (attempt) => pause(round * 5).then(attempt)

      const answers = await Promise.all(attempts(...pair, later))

      outcomes.add(answers.map(({ status }) => status).join(' '))
      const left = await activeAdmins()
      expect(left).toHaveLength(1)
      for (const { id } of pair) {
        const remains = left.some((admin) => admin.id === id) ? 1 : 0
        const sessions = await db.selectFrom('session').select('id').where('user_id', '=', id).execute()
        const accounts = await db.selectFrom('account').select('id').where('user_id', '=', id).execute()
        expect([sessions.length, accounts.length]).toEqual([remains, remains])
      }
    }
    expect([...outcomes].filter((outcome) => !possible.includes(outcome))).toEqual([])
  })

  test('R-48 fifty sign-ups for one address make one user', async () => {
    const email = `${randomUUID()}@example.com`
    const json = { email, password, name: 'Ada' }
    const headers = { origin: service.baseUrl }

    const responses = await Promise.all(
      Array.from({ length: 50 }, () => service.request('/api/auth/sign-up/email', { json, headers })),
    )

    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
    // More passwords than there is time to hash are refused.
    const failed = responses.filter(({ status }) => status >= 500)
    const codes = await Promise.all(failed.map(async (response) => ((await response.json()) as { code: string }).code))
    expect(codes).toEqual(codes.map(() => 'OVERLOADED'))
    expect(failed.length).toBeLessThan(50 - 2)
    const users = await db.selectFrom('user').select('id').where('email', '=', email).execute()
    expect(users).toHaveLength(1)
    const accounts = await db
      .selectFrom('account')
      .select('id')
      .where('user_id', '=', users[0]?.id ?? '')
      .execute()
    expect(accounts).toHaveLength(1)
  })

  test('an admin whose ban is under way makes no other admin while their request waits', async () => {
    const [admin] = await twoAdmins()
    const email = `${randomUUID()}@example.com`
    let ban = () => {}
    const banned = new Promise<void>((resolve) => {
      ban = resolve
    })
    const banning = db.transaction().execute(async (trx) => {
      await trx.updateTable('user').set({ banned: true }).where('id', '=', admin.id).execute()
      await banned
    })

    const making = v1(admin, 'POST', '/users', { email, name: 'Eve', password, role: 'admin' })
    await vi.waitUntil(() => isAnyoneWaiting(db), { timeout: 10_000 })
    ban()
    await banning

    expect(await making).toMatchObject({ status: 401, refusal: 'banned' })
    expect(await db.selectFrom('user').select('id').where('email', '=', email).execute()).toEqual([])
  })
})

const statusesOf = (answers: readonly { status: number }[]) =>
  answers.map(({ status }) => status).toSorted((a, b) => a - b)
