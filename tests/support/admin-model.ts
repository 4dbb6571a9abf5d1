/** What happens in the model, and through which door: `/api/v1`, Better-Auth's endpoints, or the command line. */
export interface Operation {
  /** Under which that is known which it begins: a person or a session. */
  key: number
  kind: Kind
  door: 'v1' | 'auth' | 'cli'
  /** Who asks, by the place of their session among all that there ever were. */
  session: number
  /** The place of somebody among all that there ever were. */
  target: number
  role: Role
  /** Whether a ban has an end. */
  isLimited: boolean
}

export type Kind =
  | 'role'
  | 'ban'
  | 'unban'
  | 'delete'
  | 'leave'
  | 'revoke'
  | 'sign in'
  | 'sign out'
  | 'act as'
  | 'create'
  | 'password'
  | 'expire'
export type Role = 'user' | 'moderator' | 'admin'

export interface Person {
  key: number
  exists: boolean
  role: Role
  banned: 'no' | 'until' | 'for good'
}

export interface Session {
  key: number
  person: number
  /** Who acts as the person; null for their own. */
  by: number | null
  isLive: boolean
}

/** Everybody that there ever was, and every session. */
export interface World {
  people: readonly Person[]
  sessions: readonly Session[]
}

/** How an operation ends: well, or with the status of `/api/v1` that says why not. */
export type Outcome = 'ok' | 401 | 403 | 404 | 409

const rank: Record<Role, number> = { user: 0, moderator: 1, admin: 2 }
// What a role must be to do a thing to others.
const needed: Partial<Record<Kind, Role>> = {
  role: 'admin',
  ban: 'moderator',
  unban: 'moderator',
  delete: 'admin',
  revoke: 'moderator',
  'act as': 'admin',
  create: 'admin',
}

/** Whether somebody's role may be more than another's, or the same. */
const covers = (one: Role, other: Role) => rank[one] >= rank[other]
export const isActiveAdmin = ({ exists, role, banned }: Person) => exists && role === 'admin' && banned === 'no'

/** How an operation ends in a world, and what is true afterwards. */
export function after(world: World, operation: Operation): [Outcome, World] {
  const outcome = outcomeOf(world, operation)
  return [outcome, outcome === 'ok' ? settled(effectOf(world, operation)) : world]
}

function outcomeOf(world: World, { kind, door, session, target, role }: Operation): Outcome {
  const subject = world.people[target]
  if (kind === 'expire' || kind === 'sign out') return 'ok'
  if (kind === 'sign in') return subject?.exists && subject.banned === 'no' ? 'ok' : 401
  if (door === 'cli') {
    if (!subject?.exists) return 404
    return kind === 'role' && role !== 'admin' && isLastAdmin(world, target) ? 409 : 'ok'
  }
  const asker = world.sessions[session]
  const actor = asker && world.people[asker.person]
  if (!asker?.isLive || !actor?.exists || actor.banned !== 'no') return 401
  if (kind === 'leave') {
    if (asker.by !== null) return 403
    return isLastAdmin(world, asker.person) ? 409 : 'ok'
  }
  const isSelf = asker.person === target
  if (kind === 'revoke' && isSelf && door === 'v1') return 'ok'
  if (asker.by !== null || !covers(actor.role, needed[kind] ?? 'admin')) return 403
  if (kind === 'create') return 'ok'
  if (isSelf && (kind === 'ban' || kind === 'delete')) return 409
  if (!subject?.exists) return 404
  if (!isSelf && !covers(actor.role, subject.role)) return 403
  // There is no session for who is banned.
  if (kind === 'act as' && subject.banned !== 'no') return 403
  return kind === 'role' && role !== 'admin' && isLastAdmin(world, target) ? 409 : 'ok'
}

function isLastAdmin({ people }: World, id: number): boolean {
  const person = people[id]
  return person !== undefined && isActiveAdmin(person) && people.filter(isActiveAdmin).length === 1
}

function effectOf(world: World, { key, kind, session, target, role, isLimited }: Operation): World {
  const { people, sessions } = world
  const change = (id: number, changes: Partial<Person>): World => ({
    people: people.map((person, n) => (n === id ? { ...person, ...changes } : person)),
    sessions,
  })
  const begin = (by: number | null): World => ({
    people,
    sessions: [...sessions, { key, person: target, by, isLive: true }],
  })
  const end = (isOver: (session: Session, n: number) => boolean): World => ({
    people,
    sessions: sessions.map((one, n) => (isOver(one, n) ? { ...one, isLive: false } : one)),
  })
  const asker = sessions[session]?.person ?? -1
  switch (kind) {
    case 'role':
      return change(target, { role })
    case 'ban':
      return change(target, { banned: isLimited ? 'until' : 'for good' })
    case 'unban':
      return change(target, { banned: 'no' })
    case 'expire':
      return people[target]?.banned === 'until' ? change(target, { banned: 'no' }) : world
    case 'delete':
      return change(target, { exists: false })
    case 'leave':
      return change(asker, { exists: false })
    case 'create':
      return { people: [...people, { key, exists: true, role, banned: 'no' }], sessions }
    case 'sign in':
      return begin(null)
    case 'act as':
      return begin(asker)
    case 'sign out':
      return end((_, n) => n === session)
    case 'revoke':
    case 'password':
      return end(({ person, by }) => person === target || by === target)
  }
}

/** The same once the rules of the database have ended the sessions that must not be. */
function settled({ people, sessions }: World): World {
  const isOver = ({ person, by }: Session) => {
    const [subject, actor] = [people[person], by === null ? undefined : people[by]]
    return !subject?.exists || subject.banned !== 'no' || (by !== null && !(actor && isActiveAdmin(actor)))
  }
  return { people, sessions: sessions.map((one) => (one.isLive && isOver(one) ? { ...one, isLive: false } : one)) }
}

/** What a cookie or a JWT of a session is worth: its person with their role, or the problem. */
export function worthOf({ people, sessions }: World, session: number, credential: 'cookie' | 'token'): string {
  const one = sessions[session]
  const person = one && people[one.person]
  if (!one || !person?.exists) return 'session-ended'
  if (credential === 'token' && person.banned !== 'no') return 'banned'
  return one.isLive ? `${person.key} ${person.role}` : 'session-ended'
}

/** Every order of some operations. */
export function* ordersOf<T>(all: readonly T[]): Generator<T[]> {
  if (all.length === 0) yield []
  for (const [n, one] of all.entries()) {
    for (const rest of ordersOf(all.toSpliced(n, 1))) yield [one, ...rest]
  }
}
