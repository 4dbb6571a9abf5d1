import { expect, test } from 'vitest'
import { allSwept, sweepBatch } from '../../src/upkeep/upkeep.queries.ts'
import { mixedCalls } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { tellFigures } from '../support/figures.ts'
import { startLoad } from '../support/load.ts'
import { isNightly } from '../support/nightly.ts'
import { left, rowMaker } from '../upkeep/rows.ts'

const server = await postgresForFile()
// Of eleven kinds: a million together.
const each = isNightly ? 100_000 : 3_000
const longAgoSeconds = 100 * 86_400

test(`R-46 ${each} rows of each kind that are over go while requests are answered, which wait for no batch`, {
  timeout: isNightly ? 1_800_000 : 120_000,
}, async () => {
  const service = await startOn(await emptyDatabase(server))
  const { db, services } = service
  const { calls } = await mixedCalls(service)
  const { make } = await rowMaker(db)
  for (const kind of allSwept) for (let made = 0; made < each; made += 1_000) await make(kind, longAgoSeconds, 1_000)
  const kept = await make('session', -3_600)

  const load = startLoad(8, calls)
  const startedAt = performance.now()
  await services.upkeep.run()
  const seconds = (performance.now() - startedAt) / 1_000
  const answers = await load.stop()

  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const [p99Ms, slowestMs] = [times[Math.floor(times.length * 0.99)], times.at(-1)]
  tellFigures('R-46', { rows: each * allSwept.length, seconds, answers: answers.length, p99Ms, slowestMs })
  expect(answers.filter(({ status }) => status >= 300)).toEqual([])
  for (const kind of allSwept) expect(await sweepBatch(db, kind, 1_000)).toBe(0)
  expect(await left(db, 'session', kept)).toEqual(kept)
})
