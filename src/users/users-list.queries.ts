import { sql } from 'kysely'
import { isBanned } from '../auth/authority/authority.queries.ts'
import { countedRows, countFew, countUpTo, estimated, estimateRows, type Total } from '../db/count.ts'
import type { Db } from '../db/database.ts'
import type { Position } from '../http/cursor.ts'
import { type UserRow, userColumns } from '../resources/user.ts'
import {
  allConditionsOf,
  allOf,
  type Condition,
  type Conditions,
  conditionsOf,
  follows,
  keysIn,
  orderOf,
  positionAt,
  type UserFilter,
  type UserSort,
} from './user-conditions.queries.ts'

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

/** How many users a first walk looks at, and one that goes on where it met some. */
const [reach, longReach] = [1_000, 10_000]
/** The part of a page that it must have met. */
const promising = 1 / 8
/** How many users are looked at where no index helps. */
export const farReach = 50_000
/** How many users an index finds at most where they are few. */
const few = 4 * countedRows

/**
 * The users that match, after a position in the sort order: at most `limit` of them. Many matches are soon met on a walk
 * along the index of the sort; few are gathered by the index of a filter, and sorted. Which they are, a walk of bounded
 * length tells better than the statistics. Where neither helps, it breaks off after `farReach` users.
 */
export async function listUsers(db: Db, filter: UserFilter, page: Page): Promise<Found> {
  const conditions = conditionsOf(filter, page.sort)
  if (conditions.tested.length === 0) return { rows: await walk(db, conditions, page, page.limit) }
  if (filter.email !== undefined) return { rows: await gather(db, filter, page) }
  const met = await walk(db, conditions, page, reach)
  if (met.length === page.limit) return { rows: met }
  if (!(await findsFew(db, filter))) return walkFar(db, conditions, page)
  if (met.length >= page.limit * promising) {
    const rows = await walk(db, conditions, page, longReach)
    if (rows.length === page.limit) return { rows }
  }
  return { rows: await gather(db, filter, page) }
}

/** Whether the indexes are expected to find few. */
async function findsFew(db: Db, filter: UserFilter): Promise<boolean> {
  const { q, ...others } = filter
  const isSlow = q !== undefined && !(await hasTrigram(db, q))
  return (await expectUsers(db, isSlow ? others : filter)) <= few
}

/** Whether a search has three letters or digits in a row, by which the index finds it: as the database knows letters. */
async function hasTrigram(db: Db, q: string): Promise<boolean> {
  if (/[a-z\d]{3}/i.test(q)) return true
  return (await db.selectNoFrom(sql<boolean>`${q} ~ '[[:alnum:]]{3}'`.as('has')).executeTakeFirstOrThrow()).has
}

function expectUsers(db: Db, filter: UserFilter): Promise<number> {
  return estimateRows(db, selectIds(db, allConditionsOf(filter)))
}

function selectIds(db: Db, conditions: Condition[]) {
  return db.selectFrom('user').select('user.id').where(allOf(conditions))
}

/** Looks at the next users for whom `led` holds, at most `reach` of them, until the page is full. */
function walk(db: Db, { led, tested }: Conditions, page: Page, reach: number): Promise<UserRow[]> {
  const next = inOrder(db, led, page).selectAll('user').limit(reach).as('user')
  const matching = db.selectFrom(next).select(userColumns).select(isBanned).where(allOf(tested))
  return matching.orderBy(orderOf(page.sort)).limit(page.limit).execute()
}

/** Walks on, and tells where that ended, of one and the same state of the table: nobody is skipped or met twice. */
function walkFar(db: Db, conditions: Conditions, page: Page): Promise<Found> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const rows = await walk(trx, conditions, page, farReach)
      if (rows.length === page.limit) return { rows }
      const ends = inOrder(trx, conditions.led, page)
        .select(keysIn(page.sort))
        .offset(farReach - 1)
      const last = await ends.limit(1).executeTakeFirst()
      return { rows, brokenOffAt: last && positionAt(last.value, last.id) }
    })
}

function inOrder(db: Db, led: Condition[], { sort, after }: Page) {
  const conditions = after ? [...led, follows(sort, after)] : led
  return db.selectFrom('user').where(allOf(conditions)).orderBy(orderOf(sort))
}

/** Finds all that match, by whichever indexes are best for that, and sorts them. */
async function gather(db: Db, filter: UserFilter, { sort, after, limit }: Page): Promise<UserRow[]> {
  const conditions = [...(await conditionsToGather(db, filter)), ...(after ? [follows(sort, after)] : [])]
  // With OFFSET 0 the planner knows nothing of the limit, for which it would walk the index of the sort.
  const all = db.selectFrom('user').selectAll('user').where(allOf(conditions)).offset(0).as('user')
  const sorted = db.selectFrom(all).select(userColumns).select(isBanned).orderBy(orderOf(sort))
  return sorted.limit(limit).execute()
}

async function conditionsToGather(db: Db, filter: UserFilter): Promise<Condition[]> {
  const { provider } = filter
  if (provider === undefined) return allConditionsOf(filter)
  const accounts = db.selectFrom('account').select('user_id').where('provider_id', '=', provider)
  const hasFew = (await estimateRows(db, accounts)) <= few
  return allConditionsOf(filter, hasFew ? { fewOf: provider } : {})
}

/**
 * How many users match. A count looks at those that an index finds, or at `farReach` users; where it would have to look at
 * more, they are estimated.
 */
export async function countUsers(db: Db, filter: UserFilter): Promise<Total> {
  if (await findsFew(db, filter)) {
    const value = await countFew(db, selectIds(db, await conditionsToGather(db, filter)))
    return value <= countedRows ? { value, relation: 'eq' } : estimated(value, await expectUsers(db, filter))
  }
  const some = db.selectFrom('user').selectAll('user').limit(farReach).as('user')
  const value = await countUpTo(
    db,
    db
      .selectFrom(some)
      .select('user.id')
      .where(allOf(allConditionsOf(filter))),
  )
  const beyond = db.selectFrom('user').select('id').offset(farReach).limit(1)
  const isAll = value <= countedRows && !(await beyond.executeTakeFirst())
  return isAll ? { value, relation: 'eq' } : estimated(value, await expectUsers(db, filter))
}
