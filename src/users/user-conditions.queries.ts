import { type Expression, expressionBuilder, type SqlBool, sql } from 'kysely'
import type { DB } from '../db/schema.ts'
import type { Position } from '../http/cursor.ts'
import type { UserRow } from '../resources/user.ts'

/** What users must match; what is undefined matches all. */
export interface UserFilter {
  q?: string | undefined
  email?: string | undefined
  role?: string | undefined
  banned?: boolean | undefined
  emailVerified?: boolean | undefined
  provider?: string | undefined
  createdAfter?: Date | undefined
  createdBefore?: Date | undefined
}

export type UserSort = 'createdAt' | '-createdAt' | 'email' | '-email' | 'name' | '-name'

/** Of a row of the table `user`, or of a subquery that is called so. */
export type Condition = Expression<SqlBool>

/** The conditions of a list. */
export interface Conditions {
  /** For these there is an index in the order of the sort. */
  led: Condition[]
  /** Against these each row on the way must be held. */
  tested: Condition[]
}

const eb = expressionBuilder<DB, 'user'>()

/**
 * The conditions of a filter for lists of a sort.
 * @param fewOf finds the users of a provider that has few by its accounts, and not user by user
 */
export function conditionsOf(filter: UserFilter, sort: UserSort, { fewOf }: { fewOf?: string } = {}): Conditions {
  const { q, email, role, banned, emailVerified, provider, createdAfter, createdBefore } = filter
  const isByTime = columnOf(sort) === 'created_at'
  const conditions: Conditions = { led: [], tested: [] }
  const add = (condition: Condition, isLed = false) => conditions[isLed ? 'led' : 'tested'].push(condition)
  if (createdAfter) add(eb('user.created_at', '>', createdAfter), isByTime)
  if (createdBefore) add(eb('user.created_at', '<', createdBefore), isByTime)
  // One index can lead: that of what fewest are likely to match.
  if (banned !== undefined) {
    // Expired bans are in the index too.
    if (banned) add(sql`"user".banned`, isByTime)
    add(flag(sql`is_banned("user".banned, "user".ban_expires)`, banned))
  }
  if (role !== undefined) add(eb('user.role', '=', role), isByTime && !banned)
  if (emailVerified !== undefined) {
    const isLed = isByTime && !emailVerified && !banned && role === undefined
    add(flag(sql`"user".email_verified`, emailVerified), isLed)
  }
  if (email !== undefined) add(eb('user.email', '=', email))
  if (provider !== undefined) add(provider === fewOf ? isAmongThoseOf(provider) : hasAccountOf(provider))
  // The dearest comes last.
  if (q !== undefined) add(holds(q))
  return conditions
}

/** Every condition of a filter. */
export function allConditionsOf(filter: UserFilter, options: { fewOf?: string } = {}): Condition[] {
  const { led, tested } = conditionsOf(filter, 'createdAt', options)
  return [...led, ...tested]
}

/** All of these. */
export function allOf(conditions: Condition[]): Condition {
  return eb.and(conditions)
}

// A word of the query and not a parameter of it: the planner compares it with the conditions of partial indexes.
function flag(column: Condition, value: boolean): Condition {
  return value ? column : eb.not(column)
}

function holds(q: string): Condition {
  const pattern = `%${q.replaceAll(/[\\%_]/g, '\\$&')}%`
  // Addresses are in lower case.
  return sql<SqlBool>`("user".email like lower(${pattern}) or "user".name ilike ${pattern})`
}

function hasAccountOf(provider: string): Condition {
  return eb.exists(
    eb
      .selectFrom('account')
      .select('account.id')
      .whereRef('account.user_id', '=', 'user.id')
      .where('account.provider_id', '=', provider),
  )
}

// An array, of which the planner expects little: it looks its users up, where it would read all of them for a join.
function isAmongThoseOf(provider: string): Condition {
  return sql<SqlBool>`"user".id = any(array(select user_id from account where provider_id = ${provider}))`
}

/** The order of a list. Ties are broken by id; no two users have one address. */
export function orderOf(sort: UserSort) {
  const direction = sql.raw(isDescending(sort) ? 'desc' : 'asc')
  const keys = keysOf(sort).map((key) => sql`${sql.ref(key)} ${direction}`)
  return sql`${sql.join(keys)}`
}

/** What follows a position in that order. */
export function follows(sort: UserSort, [value, id]: Position): Condition {
  const keys = keysOf(sort)
  const values = [columnOf(sort) === 'created_at' ? new Date(value) : value, id].slice(0, keys.length)
  const operator = sql.raw(isDescending(sort) ? '<' : '>')
  // A row value, so that the index serves the page however deep it is.
  return sql<SqlBool>`(${sql.join(keys.map((key) => sql.ref(key)))}) ${operator} (${sql.join(values)})`
}

/** The position of a user in that order. */
export function positionOf(row: UserRow, sort: UserSort): Position {
  return positionAt(row[columnOf(sort)], row.id)
}

/** The position of these two. Where no two users have one value, the id is not looked at. */
export function positionAt(value: string | Date, id: string): Position {
  return [value instanceof Date ? value.getTime() : value, id]
}

/** What `positionAt` takes, and no column that is not in the index of the sort. */
export function keysIn(sort: UserSort) {
  const [value = '', id] = keysOf(sort)
  return [
    sql<string | Date>`${sql.ref(value)}`.as('value'),
    (id === undefined ? sql<string>`''` : sql<string>`${sql.ref(id)}`).as('id'),
  ] as const
}

function keysOf(sort: UserSort): string[] {
  const column = `user.${columnOf(sort)}`
  return column === 'user.email' ? [column] : [column, 'user.id']
}

function columnOf(sort: UserSort) {
  const column = sort.replace('-', '')
  if (column === 'email' || column === 'name') return column
  return 'created_at'
}

function isDescending(sort: UserSort): boolean {
  return sort.startsWith('-')
}
