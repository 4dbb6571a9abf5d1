import { type CompiledQuery, CompiledQuery as Query, type QueryId } from 'kysely'
import type { Db } from '../../src/db/database.ts'

interface Node {
  'Node Type': string
  'Relation Name'?: string
  'Index Cond'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: Node[]
}

/** What one statement did. */
export interface Plan {
  sql: string
  /** Nodes that read a table from end to end, by its name. */
  sequential: string[]
  /** How many rows of `user` and `account`, and how many entries of their indexes for bitmaps, were read or looked up. */
  read: number
  /** What indexes were asked for to make bitmaps. */
  bitmaps: string[]
}

/** How much these statements read. */
export function readBy(plans: Plan[]): number {
  return plans.reduce((sum, { read }) => sum + read, 0)
}

/** Runs `work`, and tells of each statement that it ran how it is executed. */
export async function plansOf(db: Db, work: (db: Db) => Promise<unknown>): Promise<Plan[]> {
  const compiled = new Map<QueryId, CompiledQuery>()
  const run: CompiledQuery[] = []
  const watched = db.withPlugin({
    transformQuery({ node, queryId }) {
      compiled.set(queryId, db.getExecutor().compileQuery(node, queryId))
      return node
    },
    transformResult({ result, queryId }) {
      const query = compiled.get(queryId)
      if (query && !query.sql.trimStart().startsWith('explain')) run.push(query)
      return Promise.resolve(result)
    },
  })
  await work(watched)
  const plans: Plan[] = []
  for (const query of run) plans.push(await explain(db, query))
  return plans
}

async function explain(db: Db, { sql, parameters }: CompiledQuery): Promise<Plan> {
  const { rows } = await db.executeQuery<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    Query.raw(`explain (analyze, format json) ${sql}`, [...parameters]),
  )
  const nodes = rows.flatMap((row) => flatten(row['QUERY PLAN'][0].Plan))
  return {
    sql,
    sequential: nodes.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name'] ?? ''),
    bitmaps: nodes.flatMap((node) => (node['Node Type'] === 'Bitmap Index Scan' ? (node['Index Cond'] ?? []) : [])),
    read: nodes.reduce((sum, node) => sum + readAt(node), 0),
  }
}

function flatten(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)]
}

function readAt(node: Node): number {
  const isLeaf = node['Relation Name'] === 'user' || node['Relation Name'] === 'account'
  if (!isLeaf && node['Node Type'] !== 'Bitmap Index Scan') return 0
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  const loops = node['Actual Loops']
  // Rows are the average of the loops, and a look-up that finds nothing is one, too.
  return loops > 1 ? loops * Math.max(1, node['Actual Rows'] + removed) : (node['Actual Rows'] + removed) * loops
}
