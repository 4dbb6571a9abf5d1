import { sql } from 'kysely'
import type { Db } from '../db/database.ts'

/** What a server tells of itself; times in milliseconds. */
export interface ServerState {
  now: Date
  version: number
  isReadOnly: boolean
  statementTimeoutMs: number
  lockTimeoutMs: number
  /** How many connections it leaves to this role and database. */
  maxConnections: number
}

/** Asks a server for its clock, its limits, and whether it can be written to. */
export async function findServerState(db: Db): Promise<ServerState> {
  const { rows } = await sql<ServerState>`
    select clock_timestamp() as now, current_setting('server_version_num')::int as version,
      current_setting('transaction_read_only') = 'on' as "isReadOnly",
      (select setting::int from pg_settings where name = 'statement_timeout') as "statementTimeoutMs",
      (select setting::int from pg_settings where name = 'lock_timeout') as "lockTimeoutMs",
      least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
        (select nullif(datconnlimit, -1) from pg_database where datname = current_database())
      ) as "maxConnections"`.execute(db)
  return rows[0] as ServerState
}

/**
 * By how many seconds the last event of the audit log is dated ahead of the clock of the database, and until when that
 * will be so; undefined where it is not by more than a minute.
 */
export async function findAuditAhead(db: Db): Promise<{ seconds: number; until: Date } | undefined> {
  const { rows } = await sql<{ seconds: number; until: Date }>`
    select round(extract(epoch from last_at - clock_timestamp()))::float8 as seconds, last_at as until from audit_head
    where last_at > clock_timestamp() + interval '1 minute'`.execute(db)
  return rows[0]
}

/** How many admins can act. */
export async function countActiveAdmins(db: Db): Promise<number> {
  const admins = await db
    .selectFrom('user')
    .select('id')
    .where('role', '=', 'admin')
    .where('banned', '=', false)
    .execute()
  return admins.length
}
