import { type Expression, sql } from 'kysely'
import { countedRows, expectRows } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import {
  allOf,
  type Condition,
  type Conditions,
  holds,
  type UserFilter,
  wayByEmail,
  wayByProvider,
  wayBySearch,
  waysByTime,
  wayThroughAll,
} from './user-conditions.queries.ts'

/** How many users one statement looks at: it is broken off then, or takes a way of which no more are expected. */
export const mostLookedAt = 2 * countedRows
/** How many parts of a search are looked into: each takes the planner a tenth of a millisecond. */
const partsToExpect = 16

/** A way to the users of a filter, whether they match or not, of whom all are looked at. */
export interface ShortWay extends Conditions {
  /** How many the planner expects, at most. */
  expected: number
}

interface Way extends Conditions {
  /** Finds no fewer users than are looked at on this way. */
  met: Expression<unknown>
}

/** The way on which the fewest users are looked at; undefined where there are many on each. */
export async function findShortWay(db: Db, filter: UserFilter): Promise<ShortWay | undefined> {
  if (filter.email !== undefined) return { ...wayByEmail(filter, filter.email), expected: 1 }
  const ways = await waysOf(db, filter)
  const counts = await expectRows(
    db,
    ways.map(({ met }) => met),
  )
  const expected = Math.min(...counts)
  const way = ways[counts.indexOf(expected)]
  return way && expected <= mostLookedAt ? { ...way, expected } : undefined
}

async function waysOf(db: Db, filter: UserFilter): Promise<Way[]> {
  const { provider, q } = filter
  const usersOf = (conditions: Condition[]) => db.selectFrom('user').select('user.id').where(allOf(conditions))
  const ways = [wayThroughAll(filter), ...waysByTime(filter)].map((way): Way => ({ ...way, met: usersOf(way.led) }))
  if (provider !== undefined) {
    const met = db.selectFrom('account').select('user_id').where('provider_id', '=', provider)
    ways.push({ ...wayByProvider(filter, provider), met })
  }
  if (q !== undefined) {
    const parts = await partsOf(db, q)
    ways.push(...parts.map((part) => ({ ...wayBySearch(filter, q), met: usersOf([holds(part)]) })))
  }
  return ways
}

/**
 * What a search has of three letters or digits in a row, or some of that. The index finds users with all of these, in any
 * order, so no more than have the rarest one; of the whole text the planner expects those who match.
 */
async function partsOf(db: Db, q: string): Promise<string[]> {
  const parts = new Set<string>()
  for (const word of await wordsOf(db, q)) {
    const letters = [...word]
    for (let end = 3; end <= letters.length; end++) parts.add(letters.slice(end - 3, end).join(''))
  }
  const step = Math.max(1, parts.size / partsToExpect)
  return [...parts].filter((_, i) => i % step < 1)
}

/** What the database knows as letters and digits, which the index is made of. */
async function wordsOf(db: Db, q: string): Promise<string[]> {
  const ascii = /^[\0-\x7f]*$/
  if (ascii.test(q)) return q.match(/[a-z\d]+/gi) ?? []
  const words = sql<string>`(regexp_matches(${q}, '[[:alnum:]]+', 'g'))[1]`.as('word')
  return (await db.selectNoFrom(words).execute()).map(({ word }) => word)
}
