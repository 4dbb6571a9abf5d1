import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { verifyAuditLog } from '../../src/admin/audit-log.ts'
import { type Db, openDatabase } from '../../src/db/database.ts'
import { allSwept, sweepBatch } from '../../src/upkeep/upkeep.queries.ts'
import { ageAuditLog, growAuditLog } from '../support/audit.ts'
import { mixedCalls } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { tellFigures } from '../support/figures.ts'
import { startLoad } from '../support/load.ts'
import { isNightly } from '../support/nightly.ts'
import { left, rowMaker } from '../upkeep/rows.ts'

const server = await postgresForFile()
// Of eleven kinds, and of events of the audit log: a million together.
const each = isNightly ? 100_000 : 5_000
const longAgoSeconds = 100 * 86_400

/** Has every removal from any table leave behind of how many rows it was. */
async function countRemovals(db: Db): Promise<void> {
  await sql`create table removal (rows bigint)`.execute(db)
  await sql`create function note_removal() returns trigger language plpgsql as $$ begin
    insert into removal select count(*) from gone;
    return null;
  end $$`.execute(db)
  await sql`do $$ declare name text; begin
    for name in select tablename from pg_tables where schemaname = 'public' and tablename <> 'removal' loop
      execute format('create trigger note_removal after delete on %I referencing old table as gone
        for each statement execute function note_removal()', name);
    end loop;
  end $$`.execute(db)
}

/** Past the patience of the service. */
async function makeOldEvents(url: string): Promise<void> {
  const { db, close } = await openDatabase({ kind: 'postgres', url, limits: 'migration', onError: () => {} })
  await growAuditLog(db, each)
  await ageAuditLog(db, 5_000)
  await close()
}

test(`R-46 ${each} rows of each kind that are over go while requests are answered, which wait for no batch`, {
  timeout: isNightly ? 1_800_000 : 120_000,
}, async () => {
  const url = await emptyDatabase(server)
  const service = await startOn(url)
  const { db, services } = service
  const { calls } = await mixedCalls(service)
  const { make } = await rowMaker(db)
  for (const kind of allSwept) for (let made = 0; made < each; made += 1_000) await make(kind, longAgoSeconds, 1_000)
  const kept = await make('session', -3_600)

  await makeOldEvents(url)
  await countRemovals(db)

  const load = startLoad(30, calls)
  const startedAt = performance.now()
  await services.upkeep.run()
  const seconds = (performance.now() - startedAt) / 1_000
  const answers = await load.stop()

  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const [p99Ms, slowestMs] = [times[Math.floor(times.length * 0.99)], times.at(-1) ?? Number.NaN]
  tellFigures('R-46', { rows: each * (allSwept.length + 1), seconds, answers: answers.length, p99Ms, slowestMs })
  expect(answers.filter(({ status }) => status >= 300)).toEqual([])
  expect(slowestMs).toBeLessThan(isNightly ? 1_000 : 2_000)
  const { rows: largest } = await sql`select max(rows)::int as rows from removal`.execute(db)
  expect(largest).toEqual([{ rows: 1_000 }])
  for (const kind of allSwept) expect(await sweepBatch(db, kind, 1_000)).toBe(0)
  expect(await left(db, 'session', kept)).toEqual(kept)
  const { rows } = await sql`select 1 from audit_event where created_at < now() - interval '4000 days'`.execute(db)
  expect(rows).toEqual([])
  expect(await verifyAuditLog(db, undefined, 400)).toMatchObject({ isWhole: true })
})
