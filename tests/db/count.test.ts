import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { countedRows, countRows, estimateTotal, expectRows } from '../../src/db/count.ts'
import { startServiceForFile } from '../support/harness.ts'

const { db } = await startServiceForFile()

// Of this function the planner knows how many rows it makes.
const rows = (n: number) => sql`(select from generate_series(1, ${sql.lit(n)}))`

describe('a total', () => {
  test.each([0, 7, countedRows])('of %i rows is counted', async (n) => {
    expect(await countRows(db, rows(n))).toEqual({ value: n, relation: 'eq' })
  })

  test.each([countedRows + 1, 3 * countedRows])('of %i rows is estimated', async (n) => {
    expect(await countRows(db, rows(n))).toEqual({ value: n, relation: 'estimate' })
  })

  test('is estimated by a query alike, and is no less than what was counted', async () => {
    const many = rows(3 * countedRows)

    expect(await countRows(db, many, rows(12_000))).toEqual({ value: 12_000, relation: 'estimate' })
    expect(await countRows(db, many, rows(12))).toEqual({ value: countedRows + 1, relation: 'estimate' })
  })

  test('of which nothing is counted is what the planner expects', async () => {
    expect(await estimateTotal(db, rows(123), 0)).toEqual({ value: 123, relation: 'estimate' })
    expect(await estimateTotal(db, rows(123), 124)).toEqual({ value: 124, relation: 'estimate' })
  })
})

test('the planner is asked about each query by itself', async () => {
  expect(await expectRows(db, [rows(7), rows(123), rows(3)])).toEqual([7, 123, 3])
  expect(await expectRows(db, [])).toEqual([])
})
