import { type Expression, sql } from 'kysely'
import type { Db } from './database.ts'

/** How many rows there are: counted (`eq`), or by the statistics of the database (`estimate`). */
export interface Total {
  value: number
  relation: 'eq' | 'estimate'
}

/** Up to how many rows are counted. */
export const countedRows = 10_000

/**
 * How many rows a query finds: counted up to `countedRows`, by the plan that is best for all of them, and estimated beyond.
 * @param alike finds the same rows, and tells the planner more of how many they are
 */
export async function countRows(db: Db, query: Expression<unknown>, alike = query): Promise<Total> {
  // Of a limit outside of it the planner knows nothing: it might read the whole table for what it takes for common.
  const rows = sql`with found as materialized ${query} select from found limit ${countedRows + 1}`
  const counted = sql<number>`(select count(*) from (${rows}) as counted)`.as('value')
  const { value } = await db.selectNoFrom(counted).executeTakeFirstOrThrow()
  if (value <= countedRows) return { value, relation: 'eq' }
  return estimateTotal(db, alike, value)
}

/**
 * The total of a query whose rows are not counted.
 * @param met how many rows of it are known
 */
export async function estimateTotal(db: Db, query: Expression<unknown>, met: number): Promise<Total> {
  const [expected = 0] = await expectRows(db, [query])
  return { value: Math.max(met, expected), relation: 'estimate' }
}

/** How many rows the planner expects of each of some queries, none of which is run. */
export async function expectRows(db: Db, queries: Expression<unknown>[]): Promise<number[]> {
  if (queries.length === 0) return []
  // Each of these is planned by itself, for all of its rows.
  const arrays = queries.map((query) => sql`array(select 1 from (${query}) as expected)`)
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { Plans: { 'Plan Rows': number }[] } }] }>`
    explain (format json) select ${sql.join(arrays)}`.execute(db)
  return rows.flatMap((row) => row['QUERY PLAN'][0].Plan.Plans.map((plan) => plan['Plan Rows']))
}
