import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'

/** Whose password is tried, and from where. */
export interface Attempt {
  /** As it is named, whether or not somebody has it. */
  email: string
  /** What the client owns, as `blocksOf` tells it. */
  block: string
}

/** What came of counting an attempt. */
export interface Counted {
  /** What it was counted in. */
  key: string
  /** The end of the window in which it was counted, as exactly as the database knows it; null where it may not be made. */
  window: string | null
  /** In how many seconds the window ends, at least 1. */
  seconds: number
}

/** How often the password of an account is checked. */
export const passwordQuota = { name: 'password', most: 10, windowSeconds: 900 }

const { most: mostAttempts, windowSeconds } = passwordQuota
const windowLength = sql`make_interval(secs => ${windowSeconds})`
const mostAddresses = 20

/**
 * Counts an attempt unless it would be one too many in the window, which begins with the first: of the account and address
 * where somebody has signed in to it from there, else of the account. What is refused writes nothing, and locks nothing.
 */
export async function countCheck(db: Db, { email, block }: Attempt): Promise<Counted> {
  const [address, account, from] = [email.toLowerCase(), hashOf(email.toLowerCase()), hashOf(block)]
  const { rows } = await sql<Counted>`
    with bucket as (
      select case when exists (
        select from known_address as known join "user" on "user".id = known.user_id
        where "user".email = ${address} and known.block = ${from}
      ) then ${`${account}|${from}`}::text else ${account}::text end as key
    ), counted as (
      insert into password_attempt as current (key, attempts, ends_at)
      select key, 1, now() + ${windowLength} from bucket
      where not exists (
        select from password_attempt as seen
        where seen.key = bucket.key and seen.attempts >= ${mostAttempts} and seen.ends_at > now()
      )
      on conflict (key) do update set
        attempts = case when current.ends_at > now() then current.attempts + 1 else 1 end,
        ends_at = case when current.ends_at > now() then current.ends_at else excluded.ends_at end
      where current.attempts < ${mostAttempts} or current.ends_at <= now()
      returning key, ends_at
    )
    select bucket.key, counted.ends_at::text as window,
      -- Of a window that has just begun elsewhere nothing is seen yet.
      greatest(1, ceil(extract(epoch from coalesce(seen.ends_at - now(), ${windowLength}))))::integer as seconds
    from bucket
    left join counted on counted.key = bucket.key
    left join password_attempt as seen on seen.key = bucket.key and seen.ends_at > now()`.execute(db)
  return rows[0] as Counted
}

/** Takes an attempt back that was counted, if its window is still the same. */
export async function takeCheckBack(db: Db, { key, window }: Counted): Promise<void> {
  await sql`
    update password_attempt set attempts = attempts - 1
    where key = ${key} and ends_at = ${window}::timestamptz and attempts > 0`.execute(db)
}

/** Forgets all attempts at an account, from wherever they came. */
export async function endAttempts(db: Db, email: string): Promise<void> {
  const account = hashOf(email.toLowerCase())
  await db.deleteFrom('password_attempt').where(sql`split_part(key, '|', 1)`, '=', account).execute()
}

/** Forgets the attempts among which one was right. */
export async function forgetAttempts(db: Db, { key }: Counted): Promise<void> {
  await db.deleteFrom('password_attempt').where('key', '=', key).execute()
}

/** Remembers that a user has signed in from somewhere, and of all places the latest twenty. */
export async function rememberAddress(db: Db, userId: string, block: string): Promise<void> {
  const from = hashOf(block)
  // The user first, as everywhere; who is no more has no addresses.
  await sql`
    with holder as (
      select id from "user" where id = ${userId} for key share
    ), forgotten as (
      delete from known_address where ctid = any(array(
        select ctid from known_address where user_id = ${userId} and block <> ${from}
        order by last_used_at desc offset ${mostAddresses - 1} for update skip locked
      ))
    )
    insert into known_address (user_id, block, last_used_at) select id, ${from}, now() from holder
    on conflict (user_id, block) do update set last_used_at = excluded.last_used_at`.execute(db)
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
