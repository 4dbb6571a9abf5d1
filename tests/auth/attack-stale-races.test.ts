import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { overlap } from '../support/overlap.ts'

describe.skipIf(!onPostgres)('on PostgreSQL (the embedded database has one connection)', async () => {
  if (!onPostgres) return
  const service = await startServiceForFile()
  const { db } = service
  const { v1, signInWith, createMember } = await createDoors(service)

  test('A-13 a sign-in that races a ban leaves no session', async () => {
    const admin = await createMember('admin')
    const outcomes = new Set<number>()
    for (let round = 0; round < 30; round++) {
      const user = await createMember()
      const signingIn = signInWith(user.email, password)
      const banning = new Promise((resolve) => {
        // A sign-in takes a tenth of a second: the bans are spread over it.
        setTimeout(() => resolve(v1(admin, 'POST', `/users/${user.id}/ban`)), round * 5)
      })
      outcomes.add((await signingIn).status)
      expect(await banning).toMatchObject({ status: 200 })
      expect(await db.selectFrom('session').select('id').where('user_id', '=', user.id).execute()).toEqual([])
    }
    expect([...outcomes].filter((status) => status !== 200 && status !== 403)).toEqual([])
  })

  test('A-13 a sign-in during a ban waits for it and is refused', async () => {
    const user = await createMember()

    const { refusal } = await overlap(
      db,
      (trx) => trx.updateTable('user').set({ banned: true }).where('id', '=', user.id).execute(),
      () => signInWith(user.email, password),
    )

    expect(refusal).toBe('BANNED_USER')
    expect(await db.selectFrom('session').select('id').where('user_id', '=', user.id).execute()).toEqual([])
  })

  test('A-13 a ban during a sign-in waits for it and ends its session', async () => {
    const [admin, user] = [await createMember('admin'), await createMember()]
    const expires_at = new Date(Date.now() + 86_400_000)
    const session = { id: randomUUID(), token: randomUUID(), user_id: user.id, expires_at, not_after: expires_at }

    const { status } = await overlap(
      db,
      (trx) =>
        trx
          .insertInto('session')
          .values({ ...session, updated_at: new Date() })
          .execute(),
      () => v1(admin, 'POST', `/users/${user.id}/ban`),
    )

    expect(status).toBe(200)
    expect(await db.selectFrom('session').select('id').where('user_id', '=', user.id).execute()).toEqual([])
  })
})
