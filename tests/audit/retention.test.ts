import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { verifyAuditLog } from '../../src/admin/audit-log.ts'
import { auditedAs } from '../../src/db/audit-context.ts'
import { ageAuditLog, eventsOf } from '../support/audit.ts'
import { onPostgres } from '../support/database-template.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile({ env: { AUDIT_RETENTION_DAYS: '30' } })
const forEver = await startServiceForFile({ env: { AUDIT_RETENTION_DAYS: '0' } })

const seqs = async ({ db }: typeof service) =>
  (await sql<{ seq: number }>`select seq from audit_event order by seq`.execute(db)).rows.map(({ seq }) => seq)

test('events that are too old go, the oldest first, and the log stays whole', async () => {
  const { db, services } = service
  await service.createUser()
  const noted = /\d+:[\da-f]{64}/.exec((await verifyAuditLog(db, undefined)).message)?.[0]
  await ageAuditLog(service.db, 31)
  const old = await seqs(service)
  const kept = await eventsOf(db, () => service.createUser())
  expect(await verifyAuditLog(db, undefined)).toMatchObject({ isWhole: true })

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
  const { isWhole, message } = await verifyAuditLog(db, undefined)
  expect([isWhole, message.split('\n')[0]]).toEqual([
    true,
    `2 events are as they were written, ${old.length + 1} to ${old.length + 2}.`,
  ])
  // The head of before stands at the new beginning, and was made anew by this test.
  expect(await verifyAuditLog(db, noted)).toMatchObject({
    isWhole: false,
    message: expect.stringContaining('another one than the noted') as unknown,
  })

  expect(await eventsOf(db, () => services.upkeep.run())).toEqual([])
  await service.createUser()
  expect(await verifyAuditLog(db, `${old.length - 1}:${'0'.repeat(64)}`)).toMatchObject({
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

test.runIf(onPostgres)('what is written meanwhile waits for a removal, and comes after it', async () => {
  await service.createUser()
  const { db } = service
  await ageAuditLog(service.db, 2)
  let waited: Promise<unknown> | undefined
  await db.transaction().execute(async (trx) => {
    await sql`select audit_prune(now() - interval '1 day', 1)`.execute(trx)
    waited = service.createUser()
  })
  await waited
  expect(await verifyAuditLog(db, undefined)).toMatchObject({ isWhole: true })
})

test('who removes what is young is told of, however often they do', async () => {
  const { db } = forEver
  await forEver.createUser()
  expect(await verifyAuditLog(db, undefined)).toMatchObject({ isWhole: true })
  const prune = sql<{ n: number }>`select audit_prune('infinity', 2000000000) as n`
  for (const claimed of [{ actorType: 'system', actorId: 'upkeep' } as const, {}]) {
    expect((await auditedAs(claimed, () => prune.execute(db))).rows[0]?.n).toBeGreaterThan(0)
    expect(await verifyAuditLog(db, undefined)).toEqual({
      isWhole: false,
      message: expect.stringContaining('tells that events of its own day were removed') as unknown,
    })
  }
})
