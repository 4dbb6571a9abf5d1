import { isBanned } from '../auth/authority/authority.queries.ts'
import { countRows, estimateTotal, type Total } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import type { Position } from '../http/cursor.ts'
import { type UserRow, userColumns } from '../resources/user.ts'
import {
  allOf,
  type Condition,
  type Conditions,
  conditionsToEstimate,
  conditionsToWalk,
  follows,
  keysIn,
  orderOf,
  positionAt,
  type UserFilter,
  type UserSort,
} from './user-conditions.queries.ts'
import { type FindShortWay, mostLookedAt, shortWayFinder } from './user-ways.queries.ts'

interface Page {
  sort: UserSort
  after: Position | undefined
  limit: number
}

interface Found {
  rows: UserRow[]
  /** Where the search for matches was broken off; undefined when it came to the end of the list. */
  brokenOffAt?: Position | undefined
}

/** How many users a first walk looks at, and one that goes on where the first was promising. */
const [reach, longReach] = [500, 10_000]
/** The part of a page that a promising walk meets. */
const promising = 1 / 8

/**
 * The users that match, after a position in the sort order: at most `limit` of them. Very few are gathered by an index of
 * the filter, and sorted; so are a few of whom a walk along the index of the sort does not soon meet enough. Where no index
 * leads to few, the walk goes on, and is broken off: that of a first page by flags alone soon, any other after
 * `mostLookedAt` users.
 */
export async function listUsers(
  db: Db,
  filter: UserFilter,
  page: Page,
  findWay: FindShortWay = shortWayFinder(db, filter),
): Promise<Found> {
  const conditions = conditionsToWalk(filter, page.sort)
  if (conditions.tested.length === 0) return { rows: await walk(db, conditions, page, page.limit) }
  const isPromising = (rows: UserRow[]) => rows.length >= page.limit * promising
  const way = await findWay()
  if (!way) {
    const isByFlags = filter.q === undefined && page.after === undefined
    const found = await walkAndBreakOff(db, conditions, page, isByFlags ? reach : mostLookedAt)
    const goesOn = isByFlags && found.brokenOffAt && isPromising(found.rows)
    return goesOn ? walkAndBreakOff(db, conditions, page, longReach) : found
  }
  for (const length of way.expected > reach ? [reach, longReach] : []) {
    const rows = await walk(db, conditions, page, length)
    if (rows.length === page.limit) return { rows }
    if (!isPromising(rows)) break
  }
  return { rows: await gather(db, way, page) }
}

/** Looks at the next users for whom `led` holds, at most `reach` of them, until the page is full. */
function walk(db: Db, { led, tested }: Conditions, page: Page, reach: number): Promise<UserRow[]> {
  const next = inOrder(db, led, page).selectAll('user').limit(reach).as('user')
  const matching = db.selectFrom(next).select(userColumns).select(isBanned).where(allOf(tested))
  return matching.orderBy(orderOf(page.sort)).limit(page.limit).execute()
}

/** Walks on, and tells where that ended, of one and the same state of the table: nobody is skipped or met twice. */
function walkAndBreakOff(db: Db, conditions: Conditions, page: Page, reach: number): Promise<Found> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const rows = await walk(trx, conditions, page, reach)
      if (rows.length === page.limit) return { rows }
      const ends = inOrder(trx, conditions.led, page)
        .select(keysIn(page.sort))
        .offset(reach - 1)
      const last = await ends.limit(1).executeTakeFirst()
      return { rows, brokenOffAt: last && positionAt(last.value, last.id) }
    })
}

function inOrder(db: Db, led: Condition[], { sort, after }: Page) {
  const conditions = after ? [...led, follows(sort, after)] : led
  return db.selectFrom('user').where(allOf(conditions)).orderBy(orderOf(sort))
}

/** Finds all that match on a way, and sorts them. */
function gather(db: Db, way: Conditions, { sort, after, limit }: Page): Promise<UserRow[]> {
  const rest = after ? [follows(sort, after)] : []
  const matching = matchesOn(db, way, rest).select(userColumns).select(isBanned)
  return matching.orderBy(orderOf(sort)).limit(limit).execute()
}

function matchesOn(db: Db, { led, tested }: Conditions, rest: Condition[] = []) {
  // With OFFSET 0 the planner knows nothing of what is outside, for which it might take another way.
  const met = db.selectFrom('user').selectAll('user').where(allOf(led)).offset(0).as('user')
  return db.selectFrom(met).where(allOf([...tested, ...rest]))
}

/**
 * How many users match: counted where a way leads to few, estimated where it would take long.
 * @param met how many are known to match
 */
export async function countUsers(
  db: Db,
  filter: UserFilter,
  met: number,
  findWay: FindShortWay = shortWayFinder(db, filter),
): Promise<Total> {
  const alike = db
    .selectFrom('user')
    .select('user.id')
    .where(allOf(conditionsToEstimate(filter)))
  const way = await findWay()
  return way ? countRows(db, matchesOn(db, way).select('user.id'), alike) : estimateTotal(db, alike, met)
}
