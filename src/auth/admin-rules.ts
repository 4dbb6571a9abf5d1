import { Image, Name } from '../resources/profile.ts'
import { endTokens, findSessionOwner, lockRole } from './authority.queries.ts'
import { type DoorCall, notImpersonating, type Rule, refused } from './doors.ts'
import { covers } from './permissions.ts'
import type { Roles } from './roles.ts'

const maxReasonChars = 500

/**
 * What Better-Auth's admin endpoints must not do, by the name of the endpoint: the rules of `/api/v1` on its other door.
 * Nobody acts on, or grants, more than their own permissions; nobody acts while impersonating.
 */
export function createAdminRules(roles: Roles): Record<string, { rules: Rule[]; changesAuthority: boolean }> {
  const mayActOn = ({ actor }: DoorCall, role: string | undefined) => {
    if (role !== undefined && !covers(roles.scopesOf(actor.role), roles.scopesOf(role))) {
      throw refused('INSUFFICIENT_PERMISSIONS', 'This user or role has permissions that you do not have')
    }
  }
  const onUser: Rule = async (call) => mayActOn(call, await lockRole(call.db, String(call.body['userId'])))
  const onSession: Rule = async (call) => mayActOn(call, await roleOfSession(call))
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
  const reads = (...rules: Rule[]) => ({ rules: [notImpersonating, ...rules], changesAuthority: false })
  const changes = (...rules: Rule[]) => ({ rules: [notImpersonating, ...rules], changesAuthority: true })
  return {
    getUser: reads(),
    listUsers: reads(knownColumns),
    listUserSessions: reads(),
    setRole: changes(onUser, grantsRole),
    createUser: changes(grantsRole, knownData('role', 'image', 'emailVerified'), profile, password),
    adminUpdateUser: changes(onUser, grantsRole, knownData('role', 'name', 'image', 'email', 'emailVerified'), profile),
    banUser: changes(onUser, ban),
    unbanUser: changes(onUser),
    impersonateUser: changes(onUser),
    revokeUserSession: changes(onSession),
    revokeUserSessions: changes(onUser, tokensEnd),
    removeUser: changes(onUser),
  }
}

/** With all sessions of a user end their tokens that have none. */
const tokensEnd: Rule = ({ db, body }) => endTokens(db, String(body['userId']))

async function roleOfSession({ db, body }: DoorCall): Promise<string | undefined> {
  const owner = await findSessionOwner(db, String(body['sessionToken']))
  return owner && lockRole(db, owner)
}

const columns = new Set(['id', 'name', 'email', 'emailVerified', 'image', 'role', 'banned', 'createdAt', 'updatedAt'])

/** Better-Auth answers with an empty list when the database refuses a column. */
const knownColumns: Rule = ({ query }) => {
  for (const parameter of ['sortBy', 'searchField', 'filterField']) {
    const column = query[parameter]
    if (column !== undefined && !(typeof column === 'string' && columns.has(column))) {
      throw refused('UNKNOWN_FIELD', `"${parameter}" is not the name of a field`, 'BAD_REQUEST')
    }
  }
}

function knownData(...known: string[]): Rule {
  return ({ body }) => {
    const unknown = Object.keys((body['data'] ?? {}) as object).find((key) => !known.includes(key))
    if (unknown !== undefined) throw refused('UNKNOWN_FIELD', 'A field of "data" cannot be set here', 'BAD_REQUEST')
  }
}

const profile: Rule = ({ body }) => {
  const data = (body['data'] ?? {}) as Record<string, unknown>
  const name = data['name'] ?? body['name']
  if (name !== undefined && !Name.safeParse(name).success)
    throw refused('INVALID_NAME', 'The name is not valid', 'BAD_REQUEST')
  const image = data['image'] ?? null
  if (image !== null && !Image.safeParse(image).success)
    throw refused('INVALID_IMAGE', 'The image is not an https URL', 'BAD_REQUEST')
  const verified = data['emailVerified'] ?? false
  if (typeof verified !== 'boolean') throw refused('INVALID_FIELD', '"emailVerified" is true or false', 'BAD_REQUEST')
}

const password: Rule = ({ body }) => {
  const given = body['password']
  if (typeof given === 'string' && [...given].length < 8) {
    throw refused('PASSWORD_TOO_SHORT', 'Password too short', 'BAD_REQUEST')
  }
}

const ban: Rule = ({ body }) => {
  const seconds = body['banExpiresIn']
  if (seconds !== undefined && !(Number.isInteger(seconds) && Number(seconds) > 0 && Number(seconds) < 1e10)) {
    throw refused('INVALID_BAN_EXPIRY', '"banExpiresIn" is a positive number of seconds', 'BAD_REQUEST')
  }
  const reason = body['banReason']
  if (typeof reason === 'string' && reason.length > maxReasonChars) {
    throw refused('INVALID_BAN_REASON', `The reason has at most ${maxReasonChars} characters`, 'BAD_REQUEST')
  }
}
