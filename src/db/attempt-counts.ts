import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** What was counted under a key in the window that began with the first, and how long that still lasts. */
export interface AttemptCount {
  /** Of the window: under the same key the next one has another. */
  id: string
  key: string
  count: number
  endsInMs: number
}

const nowMs = sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`

/**
 * Counts one more under a key, for all instances and exactly, by the clock of the database.
 * @param most beyond which nothing is counted
 * @returns undefined where that would be more
 */
export async function countAttempt(
  db: Db,
  { key, most, windowMs }: { key: string; most: number; windowMs: number },
): Promise<AttemptCount | undefined> {
  const isOver = sql`held.last_request <= excluded.last_request - ${windowMs}::bigint`
  const { rows } = await sql<AttemptCount>`
    insert into rate_limit as held (id, key, count, last_request)
    values (${randomUUID()}, ${key}, 1, ${nowMs} + ${windowMs}::bigint)
    on conflict (key) do update set
      id = case when ${isOver} then excluded.id else held.id end,
      count = case when ${isOver} then 1 else held.count + 1 end,
      last_request = case when ${isOver} then excluded.last_request else held.last_request end
    where ${isOver} or held.count < ${most}
    returning id, key, count, last_request - ${nowMs} as "endsInMs"`.execute(db)
  return rows[0]
}

/** Takes one back that was counted, if its window is still the same. */
export async function uncountAttempt(db: Db, { id }: AttemptCount): Promise<void> {
  const less = db.updateTable('rate_limit').set((eb) => ({ count: eb('count', '-', 1) }))
  await less.where('id', '=', id).execute()
}

/** Deletes the windows that are over, by the clock of the database, of all keys that begin so. */
export async function forgetAttempts(db: Db, prefix: string): Promise<void> {
  await sql`delete from rate_limit where starts_with(key, ${prefix}) and last_request <= ${nowMs}`.execute(db)
}

/** What is counted under these keys now; a key without anything is left out. */
export async function findAttempts(db: Db, keys: readonly string[]): Promise<AttemptCount[]> {
  const { rows } = await sql<AttemptCount>`
    select id, key, count, last_request - ${nowMs} as "endsInMs" from rate_limit
    where key = any(${[...keys]}::text[]) and last_request > ${nowMs}`.execute(db)
  return rows
}
