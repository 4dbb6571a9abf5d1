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

/** The conditions of a filter, for a way to its users. */
export interface Conditions {
  /** By these an index finds users. */
  led: Condition[]
  /** Against these each user that it finds is held. */
  tested: Condition[]
}

type Field = 'time' | 'banned' | 'role' | 'emailVerified' | 'email' | 'provider' | 'q'

const eb = expressionBuilder<DB, 'user'>()

/** Every condition of a filter, of which the planner can tell how many users match. */
export function conditionsToEstimate(filter: UserFilter): Condition[] {
  return [
    ...conditionsBut(['provider'], filter),
    ...given(filter.provider, (provider) => eb.exists(accountOf(provider))),
  ]
}

/** The conditions of a filter but those of some fields. */
function conditionsBut(omitted: Field[], filter: UserFilter): Condition[] {
  const { q, email, role, banned, emailVerified, provider } = filter
  const conditions: Record<Field, Condition[]> = {
    time: timesOf(filter),
    banned: given(banned, (value) => flag(sql`is_banned("user".banned, "user".ban_expires)`, value)),
    role: given(role, isOfRole),
    emailVerified: given(emailVerified, (value) => flag(sql`"user".email_verified`, value)),
    email: given(email, (value) => eb('user.email', '=', value)),
    q: given(q, holds),
    provider: given(provider, hasAccountOf),
  }
  return Object.entries(conditions).flatMap(([field, ones]) => (omitted.includes(field as Field) ? [] : ones))
}

function given<T>(value: T | undefined, conditionOf: (value: T) => Condition): Condition[] {
  return value === undefined ? [] : [conditionOf(value)]
}

/** The conditions of a walk through a list of this sort. */
export function conditionsToWalk(filter: UserFilter, sort: UserSort): Conditions {
  const [best] = columnOf(sort) === 'created_at' ? waysByTime(filter) : []
  return best ?? wayThroughAll(filter)
}

/** The way that no index helps. */
export function wayThroughAll(filter: UserFilter): Conditions {
  return { led: [], tested: conditionsBut([], filter) }
}

/** The ways by an index in the order of time: that of what fewest are likely to match comes first. */
export function waysByTime(filter: UserFilter): Conditions[] {
  const { role, banned, emailVerified } = filter
  const times = timesOf(filter)
  const ways: Conditions[] = []
  // Expired bans are in the index too.
  if (banned) ways.push({ led: [sql`"user".banned`, ...times], tested: conditionsBut(['time'], filter) })
  if (role !== undefined)
    ways.push({ led: [isOfRole(role), ...times], tested: conditionsBut(['time', 'role'], filter) })
  if (emailVerified === false) {
    const led = [flag(sql`"user".email_verified`, false), ...times]
    ways.push({ led, tested: conditionsBut(['time', 'emailVerified'], filter) })
  }
  if (times.length > 0) ways.push({ led: times, tested: conditionsBut(['time'], filter) })
  return ways
}

/** The way by the index of addresses: to one user. */
export function wayByEmail(filter: UserFilter, email: string): Conditions {
  return { led: [eb('user.email', '=', email)], tested: conditionsBut(['email'], filter) }
}

/** The way by the index for searches, which is asked for parts of what is searched. */
export function wayBySearch(filter: UserFilter, ...parts: string[]): Conditions {
  return { led: [holds(...parts)], tested: conditionsBut(parts[0] === filter.q ? ['q'] : [], filter) }
}

/** The way by the accounts of a provider. */
export function wayByProvider(filter: UserFilter, provider: string): Conditions {
  // An array, of which the planner expects little: it looks its users up, where it would read all of them for a join.
  const led = sql<SqlBool>`"user".id = any(array(select user_id from account where provider_id = ${provider}))`
  return { led: [led], tested: conditionsBut(['provider'], filter) }
}

function timesOf({ createdAfter, createdBefore }: UserFilter): Condition[] {
  return [
    ...given(createdAfter, (value) => eb('user.created_at', '>', value)),
    ...given(createdBefore, (value) => eb('user.created_at', '<', value)),
  ]
}

function isOfRole(role: string): Condition {
  return eb('user.role', '=', role)
}

/** All of these. */
export function allOf(conditions: Condition[]): Condition {
  return eb.and(conditions)
}

// A word of the query and not a parameter of it: the planner compares it with the conditions of partial indexes.
function flag(column: Condition, value: boolean): Condition {
  return value ? column : eb.not(column)
}

/** Has all these texts in the address, or all in the name. */
export function holds(...texts: string[]): Condition {
  const patterns = texts.map((text) => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`)
  // Addresses are in lower case.
  const inEmail = patterns.map((pattern) => sql<SqlBool>`"user".email like lower(${pattern})`)
  const inName = patterns.map((pattern) => sql<SqlBool>`"user".name ilike ${pattern}`)
  return eb.or([eb.and(inEmail), eb.and(inName)])
}

// A look-up for each user: for EXISTS the planner might read all accounts first.
function hasAccountOf(provider: string): Condition {
  return sql<SqlBool>`(${accountOf(provider)} limit 1) is not null`
}

function accountOf(provider: string) {
  return eb
    .selectFrom('account')
    .select('account.id')
    .whereRef('account.user_id', '=', 'user.id')
    .where('account.provider_id', '=', provider)
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
