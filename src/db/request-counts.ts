import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Requests of a client in the window that began with the first, and how long that still lasts. */
export interface RequestCount {
  key: string
  requests: number
  endsInMs: number
}

/**
 * Adds what was counted here to what all instances have counted. A window that is over by the clock of the database begins
 * anew.
 * @param counts no key twice
 * @returns for each key what all have counted
 */
export async function addRequestCounts(db: Db, counts: readonly RequestCount[]): Promise<RequestCount[]> {
  // In one order for all instances, or two of them might wait for each other.
  const { rows } = await sql<RequestCount>`
    insert into request_count (key, requests, ends_at)
    select key, requests, now() + make_interval(secs => ms / 1000)
    from unnest(
      ${counts.map(({ key }) => key)}::text[],
      ${counts.map(({ requests }) => requests)}::integer[],
      ${counts.map(({ endsInMs }) => endsInMs)}::float8[]
    ) as counted (key, requests, ms)
    order by key
    on conflict (key) do update set
      requests = excluded.requests + case when request_count.ends_at > now() then request_count.requests else 0 end,
      ends_at = case when request_count.ends_at > now() then request_count.ends_at else excluded.ends_at end
    returning key, requests, (extract(epoch from ends_at - now()) * 1000)::float8 as "endsInMs"`.execute(db)
  return rows
}
