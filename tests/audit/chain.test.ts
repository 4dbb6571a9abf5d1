import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { verifyAuditLog } from '../../src/admin/audit-log.ts'
import type { Db } from '../../src/db/database.ts'
import { eventsOf, tampered } from '../support/audit.ts'
import { onPostgres } from '../support/database-template.ts'
import { password, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { db } = service

interface Ends {
  first_seq: number
  last_seq: number
}

const endsOf = async (of: Db) =>
  (await sql<Ends>`select first_seq, last_seq from audit_head`.execute(of)).rows[0] as Ends
const verify = (of: Db = db, noted?: string) => verifyAuditLog(of, noted, 400)
const headOf = async () => /\d+:[\da-f]{64}/.exec((await verify()).message)?.[0] ?? ''
const userOf = () => ({ id: randomUUID(), name: 'Ada', email: `${randomUUID()}@example.com` })

for (let i = 0; i < 8; i++) await service.createUser({ name: `User ${i}` })

const allColumns =
  'created_at, action, actor_type, actor_id, client_id, target_type, target_id, changes, reason, request_id, ip_address, user_agent, hash'

describe('the audit log tells that', () => {
  test.each<[string, (ends: Ends) => [seq: number, fault: string, ...statements: string[]]]>([
    [
      'an event was changed',
      ({ last_seq }) => [
        last_seq - 3,
        'was changed',
        `update audit_event set target_id = 'x' where seq = ${last_seq - 3}`,
      ],
    ],
    [
      'the time of one was changed by a microsecond',
      ({ last_seq }) => [
        last_seq - 3,
        'was changed',
        `update audit_event set created_at = created_at + interval '1 microsecond' where seq = ${last_seq - 3}`,
      ],
    ],
    [
      'one was removed from the middle',
      ({ last_seq }) => [last_seq - 3, 'is missing', `delete from audit_event where seq = ${last_seq - 3}`],
    ],
    [
      'one was removed from the middle, and those after it moved up',
      ({ last_seq }) => [
        last_seq - 3,
        'was changed',
        `delete from audit_event where seq = ${last_seq - 3}`,
        `update audit_event set seq = seq - 1000000 where seq > ${last_seq - 3}`,
        `update audit_event set seq = seq + 999999 where seq < 0`,
      ],
    ],
    [
      'the last were removed',
      ({ last_seq }) => [last_seq - 1, 'is missing', `delete from audit_event where seq >= ${last_seq - 1}`],
    ],
    [
      'the first was removed',
      ({ first_seq }) => [first_seq, 'is missing', `delete from audit_event where seq = ${first_seq}`],
    ],
    [
      'two were swapped',
      ({ last_seq }) => [
        last_seq - 4,
        'was changed',
        `update audit_event set seq = -1 where seq = ${last_seq - 4}`,
        `update audit_event set seq = ${last_seq - 4} where seq = ${last_seq - 2}`,
        `update audit_event set seq = ${last_seq - 2} where seq = -1`,
      ],
    ],
    [
      'one was added after the last',
      ({ last_seq }) => [
        last_seq + 1,
        'was added',
        `insert into audit_event (seq, ${allColumns}) select seq + 1, ${allColumns} from audit_event where seq = ${last_seq}`,
      ],
    ],
    [
      'one was added before the first',
      ({ first_seq }) => [
        first_seq - 1,
        'was added',
        `insert into audit_event (seq, ${allColumns}) select seq - 1, ${allColumns} from audit_event where seq = ${first_seq}`,
      ],
    ],
    [
      'one was put between two others',
      ({ last_seq }) => [
        last_seq - 1,
        'was changed',
        `update audit_event set seq = -seq where seq >= ${last_seq - 2}`,
        `update audit_event set seq = 1 - seq where seq < 0`,
        `insert into audit_event (seq, ${allColumns}) select seq - 1, ${allColumns} from audit_event where seq = ${last_seq - 1}`,
        `update audit_head set last_seq = last_seq + 1`,
      ],
    ],
  ])('%s', async (_, attack) => {
    expect(await verify()).toMatchObject({ isWhole: true })
    const [seq, fault, ...statements] = attack(await endsOf(db))

    const { isWhole, message } = await tampered(db, statements, (trx) => verify(trx))
    expect(isWhole).toBe(false)
    expect(message).toContain(`Event ${seq} ${fault}`)
  })

  test('it was written anew as a whole: by a head that was noted before', async () => {
    const noted = await headOf()
    await service.createUser()
    expect(await verify(db, noted)).toMatchObject({ isWhole: true })

    // The last is gone, and the chain made again from the one before it, which tells something else.
    const { last_seq: last } = await endsOf(db)
    const rehashed = `sha256((select hash from audit_event where seq = ${last - 2}) || convert_to(jsonb_build_array(
      ${last - 1}, (extract(epoch from created_at) * 1000000)::bigint, action, actor_type, actor_id, client_id,
      target_type, target_id, changes, reason, request_id, ip_address, user_agent)::text, 'UTF8'))`
    const statements = [
      `delete from audit_event where seq >= ${last}`,
      `update audit_event set target_id = 'x' where seq = ${last - 1}`,
      `update audit_event set hash = ${rehashed} where seq = ${last - 1}`,
      `update audit_head set last_seq = ${last - 1}, last_hash = (select hash from audit_event where seq = ${last - 1})`,
    ]
    const verdicts = await tampered(db, statements, async (trx) => [await verify(trx), await verify(trx, noted)])
    expect(verdicts).toMatchObject([
      { isWhole: true },
      {
        isWhole: false,
        message: expect.stringContaining(`Event ${last - 1} is another one than the noted`) as unknown,
      },
    ])
    const cut = await tampered(db, statements, async (trx) => verify(trx, `${last}:${'0'.repeat(64)}`))
    expect(cut).toMatchObject({
      isWhole: false,
      message: expect.stringContaining(`Event ${last} is missing`) as unknown,
    })
  })
})

describe('the audit log is only added to:', () => {
  test.each([
    'update audit_event set reason = null where false',
    'delete from audit_event',
    'truncate audit_event',
    `insert into audit_event (seq, ${allColumns}) select seq + 1000, ${allColumns} from audit_event`,
    'update audit_head set last_seq = last_seq + 1',
    'update audit_head set first_seq = first_seq + 2',
    `update audit_head set first_seq = first_seq + 2, first_hash = (select hash from audit_event where seq = 1)`,
    'insert into audit_head select false, first_seq, first_hash, last_seq, last_hash, last_at from audit_head',
    'delete from audit_head',
    'truncate audit_head',
    'delete from audit_pending',
    'update audit_pending set action = action',
    'truncate audit_pending',
  ])('%s is refused', async (statement) => {
    await service.createUser()
    await expect(sql.raw(statement).execute(db)).rejects.toMatchObject({ code: '42501' })
    expect(await verify()).toMatchObject({ isWhole: true })
  })

  test('and an event cannot be taken back before it is chained', async () => {
    const before = await endsOf(db)
    const cheating = db.transaction().execute(async (trx) => {
      await trx.insertInto('user').values(userOf()).execute()
      await sql`delete from audit_pending`.execute(trx)
    })
    await expect(cheating).rejects.toMatchObject({ code: '42501' })
    expect(await endsOf(db)).toEqual(before)
  })
})

describe('an event is there with its change', () => {
  test('and not without it: neither is kept of a transaction that fails, nor of a part that is taken back', async () => {
    const [kept, lost] = [userOf(), userOf()]
    const rows = await eventsOf(db, async () => {
      const failing = db.transaction().execute(async (trx) => {
        await trx.insertInto('user').values(lost).execute()
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      await db.transaction().execute(async (trx) => {
        await sql`savepoint before`.execute(trx)
        await trx.insertInto('user').values(lost).execute()
        await sql`rollback to savepoint before`.execute(trx)
        await trx.insertInto('user').values(kept).execute()
      })
    })
    expect(rows.map(({ target_id }) => target_id)).toEqual([kept.id])
    const { rows: pending } = await sql`select place from audit_pending`.execute(db)
    expect(pending).toEqual([])
    expect(await verify()).toMatchObject({ isWhole: true })
  })

  test('whatever time zone and form of dates a session has', async () => {
    await db.connection().execute(async (one) => {
      await sql`set timezone = 'Asia/Kathmandu'`.execute(one)
      await sql`set datestyle = 'German, DMY'`.execute(one)
      const user = userOf()
      await one.insertInto('user').values(user).execute()
      await sql`update "user" set banned = true, ban_reason = ${'"\\\u0001\u2028 ü 💥'}, ban_expires = now() + interval '1 day'
        where id = ${user.id}`.execute(one)
      await sql`reset timezone`.execute(one)
      await sql`reset datestyle`.execute(one)
    })
    expect(await verify()).toMatchObject({ isWhole: true })
  })
})

/** How many were done; what there is no time for, to hash or to wait for its turn, is refused. */
function successes(responses: Response[]): number {
  const statuses = responses.map(({ status }) => status)
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
  return statuses.filter((status) => status === 200).length
}

test('many at once make one chain, and nobody waits for ever', async () => {
  const admin = await service.createSignedIn('admin')
  const users = await Promise.all(Array.from({ length: 25 }, () => service.createUser()))
  let done: number[] = []
  const rows = await eventsOf(db, async () => {
    const signUps = Array.from({ length: 25 }, () =>
      service.request('/api/auth/sign-up/email', {
        json: { email: `${randomUUID()}@example.com`, name: 'Ada', password },
        headers: { origin: service.baseUrl },
      }),
    )
    const roles = users.map(({ id }) =>
      service.request(`/api/v1/users/${id}/role`, { method: 'PUT', token: admin.token, json: { role: 'moderator' } }),
    )
    done = await Promise.all([signUps, roles].map(async (some) => successes(await Promise.all(some))))
  })
  expect(Math.min(...done)).toBeGreaterThan(0)
  expect(
    ['user.created', 'user.role_changed'].map((name) => rows.filter(({ action }) => action === name).length),
  ).toEqual(done)
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => (rows[0]?.seq ?? 0) + i))
  expect(await verify()).toMatchObject({ isWhole: true })
})

test.runIf(onPostgres)(
  'the lock of the head is taken at the end: a change that is not committed keeps nobody waiting',
  async () => {
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('user').values(userOf()).execute()
      const rows = await eventsOf(db, () => service.createUser())
      expect(rows.map(({ action }) => action)).toEqual(['user.created'])
    })
    expect(await verify()).toMatchObject({ isWhole: true })
  },
)
