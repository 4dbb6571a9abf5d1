import { type Expression, sql } from 'kysely'
import type { Db } from './database.ts'

/** How many rows there are: counted (`eq`), or by the statistics of the database (`estimate`). */
export interface Total {
  value: number
  relation: 'eq' | 'estimate'
}

/** Up to how many rows are counted. */
export const countedRows = 10_000

/** How many rows a query finds: exactly up to `countedRows`, beyond that one more; it is stopped there. */
export async function countUpTo(db: Db, query: Expression<unknown>): Promise<number> {
  return count(db, sql`${query} limit ${countedRows + 1}`)
}

/** The same of a query that finds few rows, by the plan that is best for all of them. */
export async function countFew(db: Db, query: Expression<unknown>): Promise<number> {
  // With a limit the planner might read the whole table for what it takes for common.
  return count(db, sql`with found as materialized ${query} select from found limit ${countedRows + 1}`)
}

async function count(db: Db, query: Expression<unknown>): Promise<number> {
  const counted = sql<number>`(select count(*) from (${query}) as counted)`.as('n')
  return (await db.selectNoFrom(counted).executeTakeFirstOrThrow()).n
}

/** How many rows the planner expects of a query, which is not run. */
export async function estimateRows(db: Db, query: Expression<unknown>): Promise<number> {
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
    explain (format json) ${query}`.execute(db)
  return Math.max(...rows.map(({ 'QUERY PLAN': [{ Plan }] }) => Plan['Plan Rows']))
}

/** How many rows a query finds for which there is an index: counted up to `countedRows`, then estimated. */
export async function countRows(db: Db, query: Expression<unknown>): Promise<Total> {
  const value = await countFew(db, query)
  return value <= countedRows ? { value, relation: 'eq' } : estimated(value, await estimateRows(db, query))
}

/** A total that was not counted to its end: what the planner expects, and no less than what was counted. */
export function estimated(counted: number, expected: number): Total {
  return { value: Math.max(counted, expected), relation: 'estimate' }
}
