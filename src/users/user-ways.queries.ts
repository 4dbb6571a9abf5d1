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
/** Of how many trigrams of a search the planner is asked: each takes it a tenth of a millisecond. */
const trigramsToExpect = 16
/** How many entries of the index for searches are read in the time in which one user is looked at. */
const entriesPerUser = 10
/** How many may have the rarer of two words: so many are looked at where all of them have the other one too. */
const mostOfRarer = 2 * mostLookedAt

/** A way to the users of a filter, whether they match or not, of whom all are looked at. */
export interface ShortWay extends Conditions {
  /** How many users it takes the time to look at, as the planner expects. */
  expected: number
}

interface Way extends Conditions {
  /** Finds no fewer users than are looked at on this way. */
  met: Expression<unknown>
  /** The word of a search that leads to them. */
  word?: string
}

/** Finds the way on which the fewest users are looked at; undefined where there are many on each. */
export type FindShortWay = () => Promise<ShortWay | undefined>

/** Finds the short way of a filter when it is first asked for, and only then: a page and its total take the same one. */
export function shortWayFinder(db: Db, filter: UserFilter): FindShortWay {
  let found: Promise<ShortWay | undefined> | undefined
  return () => (found ??= findShortWay(db, filter))
}

async function findShortWay(db: Db, filter: UserFilter): Promise<ShortWay | undefined> {
  if (filter.email !== undefined) return { ...wayByEmail(filter, filter.email), expected: 1 }
  const ways = await waysOf(db, filter)
  const counts = await expectRows(
    db,
    ways.map(({ met }) => met),
  )
  const expected = ways.map((way, i) => ({ ...way, expected: counts[i] ?? Number.POSITIVE_INFINITY }))
  const users = counts[ways.findIndex(({ led }) => led.length === 0)] ?? 0
  const [best] = [...expected, ...wayByTwoWords(filter, expected, users)].toSorted((a, b) => a.expected - b.expected)
  return best && best.expected <= mostLookedAt ? best : undefined
}

/** The way by the two rarest words of a search, where there are two; as if who has one had the other by chance only. */
function wayByTwoWords(filter: UserFilter, ways: (ShortWay & { word?: string })[], users: number): ShortWay[] {
  const words = new Map<string, number>()
  for (const { word, expected } of ways)
    if (word !== undefined) words.set(word, Math.min(expected, words.get(word) ?? expected))
  const [rarer, other] = [...words].toSorted(([, a], [, b]) => a - b)
  if (!rarer || !other || rarer[1] > mostOfRarer) return []
  const together = (rarer[1] * other[1]) / Math.max(users, 1)
  const entries = rarer[1] + other[1]
  return [{ ...wayBySearch(filter, rarer[0], other[0]), expected: Math.max(together, entries / entriesPerUser) }]
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
    const trigrams = await trigramsOf(db, q)
    // A word alone: with a common one next to it, the index may read all entries of that.
    ways.push(
      ...trigrams.map(({ word, letters }) => ({ ...wayBySearch(filter, word), met: usersOf([holds(letters)]), word })),
    )
  }
  return ways
}

/** Three letters or digits in a row of a search, in a word of it. */
interface Trigram {
  letters: string
  /** With what stands around it, by which the index finds where it begins and ends. */
  word: string
}

/**
 * The trigrams of a search, or some where there are many. The index finds users who have all those of a word, in any order,
 * so no more than have the rarest one; of a word the planner expects those who match.
 */
async function trigramsOf(db: Db, q: string): Promise<Trigram[]> {
  const trigrams = new Map<string, Trigram>()
  for (const { word, letters: all } of await wordsOf(db, q)) {
    const each = [...all]
    for (let end = 3; end <= each.length; end++) {
      const letters = each.slice(end - 3, end).join('')
      trigrams.set(letters, { letters, word })
    }
  }
  const step = Math.max(1, trigrams.size / trigramsToExpect)
  return [...trigrams.values()].filter((_, i) => i % step < 1)
}

/** The words of a search, of what the database knows as letters and digits: the index is made of those. */
async function wordsOf(db: Db, q: string): Promise<{ word: string; letters: string }[]> {
  const isAscii = /^[\0-\x7f]*$/.test(q)
  const words = isAscii ? [...q.matchAll(/[^a-z\d]*([a-z\d]+)[^a-z\d]*/gi)] : await foundIn(db, q)
  return words.map(([word = '', letters = '']) => ({ word, letters }))
}

async function foundIn(db: Db, q: string): Promise<string[][]> {
  const pattern = '([^[:alnum:]]*([[:alnum:]]+)[^[:alnum:]]*)'
  const matches = sql<string[]>`regexp_matches(${q}, ${pattern}, 'g')`.as('match')
  return (await db.selectNoFrom(matches).execute()).map(({ match }) => match)
}
