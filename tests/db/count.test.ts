import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { countedRows, countFew, countRows, countUpTo, estimated, estimateRows } from '../../src/db/count.ts'
import { startServiceForFile } from '../support/harness.ts'

const { db } = await startServiceForFile()

// Of this function the planner knows how many rows it makes.
const rows = (n: number) => sql`(select from generate_series(1, ${sql.lit(n)}))`

describe('a count', () => {
  test.each([
    ['countUpTo', countUpTo],
    ['countFew', countFew],
  ])('%s is exact up to its bound, and stopped one beyond it', async (_name, count) => {
    expect(await count(db, rows(0))).toBe(0)
    expect(await count(db, rows(7))).toBe(7)
    expect(await count(db, rows(countedRows))).toBe(countedRows)
    expect(await count(db, rows(countedRows + 1))).toBe(countedRows + 1)
    expect(await count(db, rows(3 * countedRows))).toBe(countedRows + 1)
  })

  test('an estimate is what the planner expects', async () => {
    expect(await estimateRows(db, rows(123))).toBe(123)
  })

  test('a total is counted up to the bound, and estimated beyond it', async () => {
    expect(await countRows(db, rows(0))).toEqual({ value: 0, relation: 'eq' })
    expect(await countRows(db, rows(countedRows))).toEqual({ value: countedRows, relation: 'eq' })
    expect(await countRows(db, rows(3 * countedRows))).toEqual({ value: 3 * countedRows, relation: 'estimate' })
  })

  test('an estimate is no less than what was counted', () => {
    expect(estimated(10_001, 12)).toEqual({ value: 10_001, relation: 'estimate' })
    expect(estimated(10_001, 12_000)).toEqual({ value: 12_000, relation: 'estimate' })
  })
})
