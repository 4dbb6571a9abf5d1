import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { verifyAuditLog } from '../../src/admin/audit-log.ts'
import { AdminCommandError, runAdminCommand } from '../../src/admin/commands.ts'
import { auditedAs } from '../../src/db/audit-context.ts'
import { ageAuditLog, eventsOf, tampered } from '../support/audit.ts'
import { onPostgres } from '../support/database-template.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile({ env: { AUDIT_RETENTION_DAYS: '30' } })
const forEver = await startServiceForFile({ env: { AUDIT_RETENTION_DAYS: '0' } })

const seqs = async ({ db }: typeof service) =>
  (await sql<{ seq: number }>`select seq from audit_event order by seq`.execute(db)).rows.map(({ seq }) => seq)

test('events that are too old go, the oldest first, and the log stays whole', async () => {
  const { db, services } = service
  await service.createUser()
  const noted = /\d+:[\da-f]{64}/.exec((await verifyAuditLog(db, undefined, 30)).message)?.[0]
  await ageAuditLog(db, 31)
  const old = await seqs(service)
  const kept = await eventsOf(db, () => service.createUser())
  expect(await verifyAuditLog(db, undefined, 30)).toMatchObject({ isWhole: true })

  const rows = await eventsOf(db, () => services.upkeep.run())
  expect(rows).toMatchObject([
    {
      action: 'audit.pruned',
      actor_type: 'system',
      actor_id: 'upkeep',
      target_type: null,
      changes: {
        firstSeq: { from: 1, to: old.length + 1 },
        removedTo: { from: null, to: expect.stringMatching(/Z$/) as unknown },
      },
    },
  ])
  expect(await seqs(service)).toEqual([...kept, ...rows].map(({ seq }) => seq))
  const { isWhole, message } = await verifyAuditLog(db, undefined, 30)
  expect([isWhole, message.split('\n')[0]]).toEqual([
    true,
    `2 events are as they were written, ${old.length + 1} to ${old.length + 2}.`,
  ])
  // The head of before stands at the new beginning, and was made anew by this test.
  expect(await verifyAuditLog(db, noted, 30)).toMatchObject({
    isWhole: false,
    message: expect.stringContaining('another one than the noted') as unknown,
  })

  expect(await eventsOf(db, () => services.upkeep.run())).toEqual([])
  await service.createUser()
  expect(await verifyAuditLog(db, `${old.length - 1}:${'0'.repeat(64)}`, 30)).toMatchObject({
    isWhole: false,
    message: expect.stringContaining('was removed as too old') as unknown,
  })
})

test('with 0 days none goes', async () => {
  await ageAuditLog(forEver.db, 5_000)
  const before = await seqs(forEver)
  await forEver.services.upkeep.run()
  expect((await seqs(forEver)).slice(0, before.length)).toEqual(before)
})

test.each([
  ['the first was cut off', 'seq <= first_seq'],
  ['all of it was', 'true'],
])('a log whose start was moved is not whole: %s', async (_what, condition) => {
  const { db, services } = service
  for (const round of ['from which nothing was removed', 'from which something was']) {
    await service.createUser()
    await service.createUser()
    const noted = /\d+:[\da-f]{64}/.exec((await verifyAuditLog(db, undefined, 30)).message)?.[0]
    const cut = [
      `create temp table cut on commit drop as
        select seq, hash from audit_event, audit_head where ${condition} order by seq desc limit 1`,
      'delete from audit_event where seq <= (select seq from cut)',
      'update audit_head set first_seq = cut.seq + 1, first_hash = cut.hash from cut',
    ]
    for (const since of [undefined, '1:00', noted])
      expect([round, await tampered(db, cut, (trx) => verifyAuditLog(trx, since, 30))]).toMatchObject([
        round,
        {
          isWhole: false,
          message: expect.stringMatching(/begins with event \d+, and tells itself that it does with \d+/),
        },
      ])
    await ageAuditLog(db, 31)
    await service.createUser()
    await services.upkeep.run()
    expect(await verifyAuditLog(db, undefined, 30)).toMatchObject({ isWhole: true })
  }
})

test.runIf(onPostgres)('what is written meanwhile waits for a removal, and comes after it', async () => {
  await service.createUser()
  const { db } = service
  await ageAuditLog(db, 31)
  let waited: Promise<unknown> | undefined
  await db.transaction().execute(async (trx) => {
    await sql`select audit_prune(now() - interval '30 days', 1)`.execute(trx)
    waited = service.createUser()
  })
  await waited
  expect(await verifyAuditLog(db, undefined, 30)).toMatchObject({ isWhole: true })
})

const verified = async ({ services }: typeof service, since?: string) => {
  const answer = runAdminCommand(services, { command: 'audit verify', since })
  return answer.catch((error: unknown) => error as AdminCommandError)
}

test('who removes what is young is told of, however often they do', async () => {
  const { db } = forEver
  await forEver.createUser()
  expect(await verified(forEver)).toContain('as they were written')
  const prune = sql<{ n: number }>`select audit_prune('infinity', 2000000000) as n`
  for (const claimed of [{ actorType: 'system', actorId: 'upkeep' } as const, {}]) {
    expect((await auditedAs(claimed, () => prune.execute(db))).rows[0]?.n).toBeGreaterThan(0)
    expect(await verified(forEver)).toMatchObject({
      message: expect.stringContaining('were removed: AUDIT_RETENTION_DAYS=0 keeps all') as string,
    })
  }
})

test('who removes what is older than a day, and should be kept, is told of, until that is known', async () => {
  const { db, services } = service
  await ageAuditLog(service.db, 31)
  await services.upkeep.run()
  expect(await verified(service)).toContain('as they were written')
  await ageAuditLog(service.db, 2)
  await service.createUser()
  expect(await verified(service)).toContain('as they were written')

  const prune = sql`select audit_prune(now() - interval '25 hours', 2000000000)`
  const removals = [await eventsOf(db, () => prune.execute(db))]
  await ageAuditLog(service.db, 2)
  removals.push(await eventsOf(db, () => prune.execute(db)))

  const places = removals.map(([{ seq } = { seq: 0 }]) => seq)
  const refused = (await verified(service)) as AdminCommandError
  expect(refused).toBeInstanceOf(AdminCommandError)
  expect(refused.message).toMatch(new RegExp(`^Event ${places[1]}, of .*Z, tells that events up to .*Z were removed: `))
  expect(refused.message).toContain('AUDIT_RETENTION_DAYS=30 keeps them longer.')
  // The setting may have been 1 when they went: then that is right, and so is what is from after it.
  expect(await verifyAuditLog(db, undefined, 1)).toMatchObject({ isWhole: true })
  const head = /--since (\d+:[\da-f]{64})$/.exec(refused.message)?.[1] ?? ''
  expect(await verified(service, head)).toContain('as they were written')
  await prune.execute(db)
  await service.createUser()
  await sql`select audit_prune('infinity', 2000000000)`.execute(db)
  expect(await verified(service, head)).toBeInstanceOf(AdminCommandError)
})
