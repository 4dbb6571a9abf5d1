import { sql } from 'kysely'
import type { Db, Row } from '../db/database.ts'

/** Where the audit log says that it begins and ends. Hashes are in hex. */
export interface AuditEnds {
  first_seq: number
  /** Of the event before the first. */
  first_hash: string
  last_seq: number
  last_hash: string
  /** The places of the events that there are; null where there are none. */
  least: number | null
  greatest: number | null
}

/** An event as it is chained. */
export interface ChainedEvent {
  seq: number
  hash: string
  /** What it consists of, each as the JSON that is hashed. */
  members: string[]
}

/** The ends of the log, as they are at one moment. */
export async function findEnds(db: Db): Promise<AuditEnds | undefined> {
  const { rows } = await sql<AuditEnds>`
    select first_seq, encode(first_hash, 'hex') as first_hash, last_seq, encode(last_hash, 'hex') as last_hash,
      (select min(seq) from audit_event) as least, (select max(seq) from audit_event) as greatest
    from audit_head`.execute(db)
  return rows[0]
}

/** The next events after a place, up to another, in order: at most `limit` of them. */
export async function findChained(db: Db, after: number, last: number, limit: number): Promise<ChainedEvent[]> {
  const { rows } = await sql<ChainedRow>`
    select seq, encode(hash, 'hex') as hash, (extract(epoch from created_at) * 1000000)::bigint::text as micros, action,
      actor_type, actor_id, client_id, target_type, target_id, changes::text as changes, reason, request_id, ip_address,
      user_agent
    from audit_event where seq > ${after} and seq <= ${last} order by seq limit ${limit}`.execute(db)
  return rows.map((row) => {
    const about = [row.action, row.actor_type, row.actor_id, row.client_id, row.target_type, row.target_id]
    const rest = [row.reason, row.request_id, row.ip_address, row.user_agent]
    return {
      seq: row.seq,
      hash: row.hash,
      members: [String(row.seq), row.micros, ...about.map(asJson), row.changes, ...rest.map(asJson)],
    }
  })
}

/** Where the log begins by the last event up to a place that tells of a removal. */
export async function findToldStart(db: Db, last: number): Promise<number> {
  const { rows } = await sql<{ seq: number }>`
    select (changes #>> '{firstSeq,to}')::bigint as seq from audit_event
    where action = 'audit.pruned' and seq <= ${last} order by seq desc limit 1`.execute(db)
  return rows[0]?.seq ?? 1
}

interface ChainedRow extends Omit<Row<'audit_event'>, 'created_at' | 'hash' | 'changes'> {
  hash: string
  micros: string
  /** As text. */
  changes: string
}

/** Removals of events that were younger than is kept. */
export interface EarlyRemovals {
  /** How many, each an event. */
  count: number
  /** Of the last of them. Its hash is in hex. */
  seq: number
  hash: string
  at: Date
  /** When the youngest was written that it removed. */
  removed_to: Date
}

/**
 * The removals after a place that took events of the last days before them.
 * @param days how many are kept; 0 for all
 */
export async function findEarlyRemovals(db: Db, after: number, days: number): Promise<EarlyRemovals | undefined> {
  const { rows } = await sql<EarlyRemovals>`
    select seq, encode(hash, 'hex') as hash, created_at as at, removed_to, count(*) over () as count
    from audit_event, cast(changes #>> '{removedTo,to}' as timestamptz) as removed_to
    where action = 'audit.pruned' and seq > ${after}
      and (${days} = 0 or created_at - removed_to < make_interval(days => ${days}))
    order by seq desc limit 1`.execute(db)
  return rows[0]
}

function asJson(text: string | null): string {
  return JSON.stringify(text)
}
