import { z } from 'zod'
import { type AuthorityRow, endSessions, findEmail, holdAuthority, lockRole } from '../authority/authority.queries.ts'
import { refused, unauthorized } from '../endpoint.ts'
import { covers, type Permission, permissions } from '../permissions.ts'
import type { Roles } from '../roles.ts'
import { type EndpointCall, type GuardOptions, notImpersonating, type Rule } from './guard.ts'
import { hashesFor } from './hash-ahead.ts'
import { assertProfile } from './profile-hooks.ts'
import { findNamedSession } from './session.queries.ts'

type TellOfAddress = (before: string, email: string) => Promise<void>

const maxReasonChars = 500
// A page as large as one of `/api/v1`, which goes on by a cursor; each row that is skipped is read.
const mostUsers = 100
const mostSkipped = 10_000

/**
 * What Better-Auth's admin endpoints must not do, by the name of the endpoint: the rules of `/api/v1` on its other door.
 * Nobody acts on, or grants, more than their own permissions; nobody acts while impersonating.
 * @param tell mails both addresses of a user that one replaces the other, once it does
 */
export function createAdminRules(roles: Roles, tell: TellOfAddress): Record<string, GuardOptions> {
  const mayActOn = ({ actor }: EndpointCall, role: string | undefined) => {
    if (role !== undefined && !covers(roles.scopesOf(actor.role), roles.scopesOf(role))) {
      throw refused('INSUFFICIENT_PERMISSIONS', 'This user or role has permissions that you do not have')
    }
  }
  const onUser: Rule = async (call) => {
    const id = call.sent['userId']
    // Better-Auth makes a text of anything.
    if (typeof id !== 'string') throw refused('INVALID_FIELD', '"userId" is a text', 'BAD_REQUEST')
    const role = await lockRole(call.db, id)
    // Some endpoints find nothing to do for nobody, and call it done.
    if (role === undefined) throw refused('USER_NOT_FOUND', 'User not found', 'NOT_FOUND')
    mayActOn(call, role)
  }
  const onSession: Rule = async (call) => {
    const session = await findNamedSession(call.db, String(call.body['sessionToken']))
    if (!session) return
    mayActOn(call, await lockRole(call.db, session.user_id))
    call.body['sessionToken'] = session.token
  }
  const grantsRole: Rule = (call) => {
    const data = (call.body['data'] ?? {}) as Record<string, unknown>
    for (const role of [call.body['role'], data['role']]) {
      if (role === undefined) continue
      const [name, ...more] = [role].flat()
      if (typeof name !== 'string' || more.length > 0)
        throw refused('INVALID_ROLE', 'A user has one role', 'BAD_REQUEST')
      if (roles.names.includes(name)) mayActOn(call, name)
    }
  }
  // Better-Auth asks for the permission after the rules, whose answers are about somebody.
  const may =
    (...needed: Permission[]) =>
    (actor: AuthorityRow) => {
      notImpersonating({ actor })
      const own = roles.scopesOf(actor.role)
      if (!needed.every((permission) => own.has(permission)))
        throw refused('INSUFFICIENT_PERMISSIONS', 'Your role does not allow this')
    }
  const alone = (permission: Permission, ...rules: Rule[]) => ({ mayAsk: may(permission), rules })
  // Queues with every other change of authority.
  const queued = (permission: Permission, ...rules: Rule[]) => ({
    ...alone(permission, ...rules),
    changesAuthority: true,
  })
  return {
    // It would tell what the role allows of whom an admin looks for.
    userHasPermission: { rules: [notImpersonating], inTransaction: false },
    getUser: alone('users:read'),
    listUsers: alone('users:read', listQuery),
    listUserSessions: alone('sessions:read', onUser),
    setRole: queued('users:role', onUser, grantsRole),
    createUser: {
      ...alone('users:write', actorStays, grantsRole, knownData('role', 'image', 'emailVerified'), profile),
      prepare: hashesFor,
    },
    adminUpdateUser: queued(
      'users:write',
      onUser,
      grantsRole,
      knownData('role', 'name', 'image', 'email', 'emailVerified'),
      profile,
      newAddress(tell),
    ),
    banUser: queued('users:ban', onUser, ban),
    unbanUser: queued('users:ban', onUser),
    impersonateUser: { ...queued('users:ban', onUser), mayAsk: may(...permissions) },
    revokeUserSession: queued('sessions:revoke', onSession),
    revokeUserSessions: queued('sessions:revoke', onUser, sessionsEnd),
    removeUser: queued('users:delete', onUser),
  }
}

/**
 * Ends all sessions of a user, and their tokens that have none. The session that asks is left to Better-Auth, which would
 * read every other first.
 */
const sessionsEnd: Rule = async ({ db, actor, body }) => {
  await endSessions(db, String(body['userId']), actor.session_id)
}

const kinds = {
  id: 'text',
  name: 'text',
  email: 'text',
  emailVerified: 'boolean',
  image: 'text',
  role: 'text',
  banned: 'boolean',
  createdAt: 'time',
  updatedAt: 'time',
} as const
const columns = z.enum(Object.keys(kinds) as [keyof typeof kinds])
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .refine((digits) => Number(digits) >= least && Number(digits) <= most)
const text = z.string().regex(/^\P{Cc}*$/u)
// By the kind of a column: how it can be compared, and with what.
const comparisons = {
  text: { operators: /^(eq|ne|in|not_in|contains|starts_with|ends_with|lt|lte|gt|gte)$/, value: text },
  boolean: { operators: /^(eq|ne)$/, value: z.enum(['true', 'false']) },
  time: { operators: /^(eq|ne|lt|lte|gt|gte)$/, value: z.union([z.iso.datetime({ offset: true }), z.iso.date()]) },
}
const ListQuery = z
  .looseObject({
    sortBy: columns.optional(),
    searchField: columns.exclude(['emailVerified', 'banned', 'createdAt', 'updatedAt']).optional(),
    filterField: columns.default('email'),
    filterOperator: z.string().default('eq'),
    limit: whole(1, mostUsers).default(String(mostUsers)),
    offset: whole(0, mostSkipped).optional(),
    searchValue: text.optional(),
    filterValue: z.union([z.string(), z.array(z.string())]).optional(),
  })
  .superRefine(({ filterField, filterOperator, filterValue }, context) => {
    if (filterValue === undefined) return
    const { operators, value } = comparisons[kinds[filterField]]
    const refuse = (path: string) => context.addIssue({ code: 'custom', path: [path] })
    const isList = filterOperator === 'in' || filterOperator === 'not_in'
    if (!operators.test(filterOperator) || isList !== Array.isArray(filterValue)) refuse('filterOperator')
    if (![filterValue].flat().every((one) => value.safeParse(one).success)) refuse('filterValue')
  })

/** Refuses what the database would refuse too, with an error that Better-Auth answers by an empty list; bounds the page. */
const listQuery: Rule = ({ query }) => {
  const { error, data } = ListQuery.safeParse(query)
  if (error) throw refused('INVALID_QUERY', `"${String(error.issues[0]?.path[0])}" cannot be used`, 'BAD_REQUEST')
  query['limit'] = data.limit
}

function knownData(...known: string[]): Rule {
  return ({ body }) => {
    const unknown = Object.keys((body['data'] ?? {}) as object).find((key) => !known.includes(key))
    if (unknown !== undefined) throw refused('UNKNOWN_FIELD', 'A field of "data" cannot be set here', 'BAD_REQUEST')
  }
}

const profile: Rule = ({ body }) => {
  const data = (body['data'] ?? {}) as Record<string, unknown>
  assertProfile({ ...data, name: data['name'] ?? body['name'] })
  const verified = data['emailVerified']
  if (verified !== undefined && typeof verified !== 'boolean')
    throw refused('INVALID_FIELD', '"emailVerified" is true or false', 'BAD_REQUEST')
}

// A user is made once their password is hashed; until then whoever makes them could be banned or demoted.
const actorStays: Rule = async ({ db, actor }) => {
  const now = await holdAuthority(db, actor.id, actor.session_id)
  if (!now?.session_id || now.banned || now.role !== actor.role) throw unauthorized()
}

/** A new address counts as unverified unless it is said to be verified. */
const newAddress =
  (tell: TellOfAddress): Rule =>
  async ({ db, body }) => {
    const data = body['data'] as Record<string, unknown>
    if (typeof data['email'] !== 'string') return
    const [before, email] = [await findEmail(db, String(body['userId'])), data['email'].toLowerCase()]
    if (before === undefined || before === email) return
    body['data'] = { emailVerified: false, ...data }
    await tell(before, email)
  }

const ban: Rule = ({ body }) => {
  const seconds = body['banExpiresIn']
  if (seconds !== undefined && !(Number.isInteger(seconds) && Number(seconds) > 0 && Number(seconds) < 1e10)) {
    throw refused('INVALID_BAN_EXPIRY', '"banExpiresIn" is a positive number of seconds', 'BAD_REQUEST')
  }
  const reason = body['banReason']
  if (typeof reason === 'string' && (reason.length > maxReasonChars || /[\p{Cc}\p{Cs}]/u.test(reason))) {
    const words = `The reason has at most ${maxReasonChars} characters, none of them a control character`
    throw refused('INVALID_BAN_REASON', words, 'BAD_REQUEST')
  }
}
