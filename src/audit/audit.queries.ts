import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import { countRows, type Total } from '../db/count.ts'
import type { Db, Row } from '../db/database.ts'
import type { DB } from '../db/schema.ts'
import type { Position } from '../http/cursor.ts'

export type EventRow = Omit<Row<'audit_event'>, 'hash'>

/** What events must match; what is undefined matches all. */
export interface EventFilter {
  actor?: string | undefined
  target?: string | undefined
  action?: string | undefined
  createdAfter?: Date | undefined
  createdBefore?: Date | undefined
}

interface Page {
  after: Position | undefined
  limit: number
}

const columns = [
  'seq',
  'created_at',
  'action',
  'actor_type',
  'actor_id',
  'client_id',
  'target_type',
  'target_id',
  'changes',
  'reason',
  'request_id',
  'ip_address',
  'user_agent',
] as const

/** The events that match, latest first, after a position: at most `limit` of them. */
export function listEvents(db: Db, filter: EventFilter, page: Page): Promise<EventRow[]> {
  return paged(matching(db, filter).select(columns), page).execute()
}

/** The same of those that a user did, or that were done to them. */
export function listEventsOf(db: Db, userId: string, filter: EventFilter, page: Page): Promise<EventRow[]> {
  const [done, met] = sidesOf(db, userId, filter).map((side) => paged(side.select('seq'), page))
  return db
    .selectFrom('audit_event')
    .select(columns)
    .where(sql<boolean>`seq in (${done} union ${met})`)
    .orderBy('seq', 'desc')
    .limit(page.limit)
    .execute()
}

/** How many events match. */
export function countEvents(db: Db, filter: EventFilter): Promise<Total> {
  return countRows(db, matching(db, filter).select('seq'))
}

/** How many of a user match. */
export function countEventsOf(db: Db, userId: string, filter: EventFilter): Promise<Total> {
  const [done, met] = sidesOf(db, userId, filter).map((side) => side.select('seq'))
  return countRows(db, db.selectFrom(sql<{ seq: number }>`(${done} union ${met})`.as('own')).select('seq'))
}

/** Where a page that ends with this row is continued. */
export function positionOf({ seq }: EventRow): Position {
  return [seq, '']
}

type Query<O> = SelectQueryBuilder<DB, 'audit_event', O>

function paged<O>(query: Query<O>, { after, limit }: Page): Query<O> {
  const rest = after ? query.where('seq', '<', Number(after[0])) : query
  return rest.orderBy('seq', 'desc').limit(limit)
}

function sidesOf(db: Db, userId: string, filter: EventFilter) {
  return [
    matching(db, { ...filter, actor: userId }).where('actor_type', '=', 'user'),
    matching(db, { ...filter, target: userId }).where('target_type', '=', 'user'),
  ]
}

function matching(db: Db, { actor, target, action, createdAfter, createdBefore }: EventFilter) {
  let query = db.selectFrom('audit_event')
  if (actor !== undefined) query = query.where('actor_id', '=', actor)
  if (target !== undefined) query = query.where('target_id', '=', target)
  if (action !== undefined) query = query.where('action', '=', action)
  if (createdAfter) query = query.where('seq', '>=', edge(sql`created_at > ${createdAfter} order by created_at, seq`))
  if (createdBefore)
    query = query.where('seq', '<=', edge(sql`created_at < ${createdBefore} order by created_at desc, seq desc`))
  return query
}

/** Times follow the order of the log: so a range of them is one of places, which goes with every index. */
function edge(found: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`(select seq from audit_event where ${found} limit 1)`
}
