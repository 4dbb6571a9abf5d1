import { type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../db/database.ts'
import { inTransaction } from '../db/transaction.ts'

interface Sweep {
  table: string
  /** When a row was over; indexed. */
  since: string
  /** Since when a row must be over to go. */
  limit: RawBuilder<unknown>
  /** What else must be so. */
  condition?: RawBuilder<unknown>
}

// Longer than the clocks of instances differ, and than the tolerance with which a token is accepted past its end.
const aMinuteAgo = sql`now() - interval '1 minute'`
// Longer than the end of a session is still told: of what is swept nobody need hear.
const aWhileAgo = sql`now() - interval '10 minutes'`
// A code that comes a second time is told from one that is not known for an hour.
const anHourAgo = sql`now() - interval '61 minutes'`
// As long as an address is known from which somebody has signed in.
const ninetyDaysAgo = sql`now() - interval '90 days'`
// In milliseconds; the longest time in which requests are counted is a minute, and a letter has its end here.
const tenMinutesAgo = sql`(extract(epoch from now() - interval '10 minutes') * 1000)::bigint`
// With a refresh token its access tokens would go, which may be good still. Asked row by row, so by the index; and so that
// the planner expects of most rows that they have none, and reads no further than a batch.
const hasNoAccessToken = sql`swept.id is distinct from (
  select refresh_id from oauth_access_token where refresh_id = swept.id limit 1
)`

const sweeps = {
  session: { table: 'session', since: 'expires_at', limit: aWhileAgo },
  verification: { table: 'verification', since: 'expires_at', limit: aMinuteAgo },
  accessToken: { table: 'oauth_access_token', since: 'expires_at', limit: aMinuteAgo },
  refreshToken: { table: 'oauth_refresh_token', since: 'expires_at', limit: aMinuteAgo, condition: hasNoAccessToken },
  clientAssertion: { table: 'oauth_client_assertion', since: 'expires_at', limit: aMinuteAgo },
  revokedToken: { table: 'oauth_revoked_token', since: 'expires_at', limit: aMinuteAgo },
  redeemedCode: { table: 'oauth_redeemed_code', since: 'redeemed_at', limit: anHourAgo },
  requestCount: { table: 'request_count', since: 'ends_at', limit: aMinuteAgo },
  passwordAttempt: { table: 'password_attempt', since: 'ends_at', limit: aMinuteAgo },
  knownAddress: { table: 'known_address', since: 'last_used_at', limit: ninetyDaysAgo },
  rateLimit: { table: 'rate_limit', since: 'last_request', limit: tenMinutesAgo },
} as const satisfies Record<string, Sweep>

export type Swept = keyof typeof sweeps

/** What there is to sweep, access tokens before the refresh tokens that they came of. */
export const allSwept = Object.keys(sweeps) as Swept[]

/**
 * Removes up to `batchSize` rows of a kind that are over, oldest first, and leaves out any that somebody holds.
 * @returns how many; undefined when another instance is at it
 */
export function sweepBatch(db: Db, kind: Swept, batchSize: number): Promise<number | undefined> {
  return inTransaction(db, async (trx) => {
    if (!(await isAlone(trx))) return undefined
    const { numAffectedRows = 0n } = await deletion(kind, batchSize).execute(trx)
    return Number(numAffectedRows)
  })
}

/** The statement of a batch. */
export function deletion(kind: Swept, batchSize: number): RawBuilder<unknown> {
  const { table, since, limit, condition = sql`true` }: Sweep = sweeps[kind]
  // By their place, which no plan can look for by reading all of the table.
  return sql`delete from ${sql.table(table)} where ctid = any(array(
    select swept.ctid from ${sql.table(table)} as swept
    where ${sql.ref(since)} < ${limit} and ${condition}
    order by ${sql.ref(since)} limit ${batchSize} for update of swept skip locked
  ))`
}

/** Whether no other instance sweeps; until the transaction ends none does, be it through a pooler. */
async function isAlone(trx: Tx): Promise<boolean> {
  const { rows } = await sql<{ alone: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended('upkeep', 0)) as alone`.execute(trx)
  return rows[0]?.alone === true
}
