import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { runAdminCommand } from '../../src/admin/commands.ts'
import { type Operation, type Outcome, type Role, type World, worthOf } from './admin-model.ts'
import { createDoors, type Doors, sessionCookieIn, sessionTokenOf } from './doors.ts'
import { password, type SignedIn, type TestService } from './harness.ts'

/** An instance of the service, with its doors. */
export interface Instance {
  service: TestService
  doors: Doors
}

/** How an operation really ended. */
export interface Answer {
  status: number
  isOk: boolean
}

type Credential = Pick<SignedIn, 'cookie'> & { token: string | undefined }

/** An instance, with its doors. */
export async function openInstance(service: TestService): Promise<Instance> {
  return { service, doors: await createDoors(service) }
}

/**
 * Makes people with these roles, each with a session; no other admin is left. Their keys are their places.
 * @param instances all on one database
 */
export async function openStage(instances: [Instance, ...Instance[]], roles: Role[]) {
  const [{ service, doors: first }] = instances
  const { db } = service
  const ids = new Map<number, { id: string; email: string }>()
  const credentials = new Map<number, Credential>()
  const members = await Promise.all(roles.map((role) => first.createMember(role)))
  for (const [key, member] of members.entries()) {
    ids.set(key, member)
    credentials.set(key, member)
  }
  const others = db.updateTable('user').set({ role: 'user' }).where('role', '=', 'admin')
  await others.where('id', 'not in', idsOf(members)).execute()

  const world: World = {
    people: roles.map((role, key) => ({ key, exists: true, role, banned: 'no' })),
    sessions: roles.map((_, key) => ({ key, person: key, by: null, isLive: true })),
  }

  /** Does what an operation says. @param before the world in which its places are */
  async function perform(before: World, operation: Operation, { service: at, doors }: Instance): Promise<Answer> {
    const { key, kind, door, role, isLimited } = operation
    const person = ids.get(before.people[operation.target]?.key ?? -1) ?? { id: 'nobody', email: 'nobody@example.com' }
    const asker = credentials.get(before.sessions[operation.session]?.key ?? -1) ?? { cookie: '', token: '' }
    const userId = person.id
    const v1 = (method: string, path: string, json?: unknown) =>
      doors.v1({ token: asker.token ?? 'none' }, method, `/users/${userId}${path}`, json)
    const auth = (path: string, json: object = {}) => doors.auth(asker, path, { userId, ...json })
    const byDoor = (own: () => ReturnType<typeof v1>, theirs: () => ReturnType<typeof v1>) =>
      toAnswer(door === 'v1' ? own() : theirs())
    switch (kind) {
      case 'role':
        if (door === 'cli') return byCommand(at, { command: 'grant', email: person.email, role })
        return byDoor(
          () => v1('PUT', '/role', { role }),
          () => (isLimited ? auth('/admin/update-user', { data: { role } }) : auth('/admin/set-role', { role })),
        )
      case 'ban': {
        const expiresAt = new Date(Date.now() + 3_600_000).toISOString()
        return byDoor(
          () => v1('POST', '/ban', isLimited ? { expiresAt } : {}),
          () => auth('/admin/ban-user', isLimited ? { banExpiresIn: 3_600 } : {}),
        )
      }
      case 'unban':
        return byDoor(
          () => v1('DELETE', '/ban'),
          () => auth('/admin/unban-user'),
        )
      case 'delete':
        return byDoor(
          () => v1('DELETE', ''),
          () => auth('/admin/remove-user'),
        )
      case 'revoke':
        return byDoor(
          () => v1('DELETE', '/sessions'),
          () => auth('/admin/revoke-user-sessions'),
        )
      case 'leave':
        return toAnswer(doors.auth(asker, '/delete-user', { password }))
      case 'sign out':
        return toAnswer(doors.auth(asker, '/sign-out'))
      case 'sign in':
        return begin(key, doors, await doors.signInWith(person.email, password))
      case 'act as':
        return begin(key, doors, await auth('/admin/impersonate-user'))
      case 'password':
        return byCommand(at, { command: 'reset-password', email: person.email, password })
      case 'expire':
        await at.db
          .updateTable('user')
          .set({ ban_expires: new Date(Date.now() - 1_000) })
          .where('id', '=', userId)
          .where('banned', '=', true)
          .where('ban_expires', 'is not', null)
          .execute()
        return { status: 200, isOk: true }
      case 'create': {
        const json = { email: `${randomUUID()}@example.com`, name: 'New', password, role }
        const answer = await (door === 'v1'
          ? doors.v1({ token: asker.token ?? 'none' }, 'POST', '/users', json)
          : doors.auth(asker, '/admin/create-user', json))
        const made = (answer.body['user'] ?? answer.body) as { id: string }
        if (answer.refusal === undefined) ids.set(key, { id: made.id, email: json.email })
        return { status: answer.status, isOk: answer.refusal === undefined }
      }
    }
  }

  async function begin(key: number, doors: Doors, answer: Awaited<ReturnType<Doors['signInWith']>>): Promise<Answer> {
    if (answer.refusal !== undefined) return { status: answer.status, isOk: false }
    const cookie = sessionCookieIn(answer)
    // It may be over already.
    const { token } = await doors.open(cookie).catch(() => ({ token: undefined }))
    credentials.set(key, { cookie, token })
    return { status: answer.status, isOk: true }
  }

  /** What the database has of the people and the sessions of a world, in its terms. */
  async function stateOf({ people, sessions }: World) {
    const users = await db
      .selectFrom('user')
      .select(({ ref, fn, val }) => [
        'id',
        'role',
        'ban_expires',
        fn<boolean>('is_banned', [ref('banned'), ref('ban_expires')]).as('is_banned'),
        val(1).as('one'),
      ])
      .where('id', 'in', idsOf([...ids.values()]))
      .execute()
    const tokens = await db.selectFrom('session').select('token').execute()
    const live = new Set(tokens.map(({ token }) => token))
    const rows = new Map(users.map((user) => [user.id, user]))
    return {
      people: people.map(({ key }) => {
        const row = rows.get(ids.get(key)?.id ?? '')
        if (!row) return 'gone'
        return `${row.role} ${row.is_banned ? (row.ban_expires ? 'until' : 'for good') : 'no'}`
      }),
      sessions: sessions
        .filter(({ key }) => live.has(sessionTokenOf(credentials.get(key) ?? { cookie: '=' })))
        .map(({ key }) => key),
    }
  }

  /** What a credential of a session is worth at an instance, in the terms of the model. */
  async function worthAt(
    { service: at }: Instance,
    key: number,
    kind: 'cookie' | 'token',
  ): Promise<string | undefined> {
    const { cookie, token } = credentials.get(key) ?? { cookie: '', token: undefined }
    if (kind === 'token' && token === undefined) return undefined
    const response = await at.request('/api/v1/auth/me', kind === 'token' ? { token: token ?? '' } : { cookie })
    const body = (await response.json()) as { id?: string; role?: string; type?: string }
    if (body.id === undefined) return String(body.type).replace('/problems/', '')
    return `${[...ids].find(([, { id }]) => id === body.id)?.[0]} ${body.role}`
  }

  /** Holds each credential of a world, at each instance, to what it is worth there. */
  async function assertWorth(now: World, at: readonly Instance[] = instances): Promise<void> {
    for (const instance of at) {
      for (const [place, { key }] of now.sessions.entries()) {
        for (const kind of ['cookie', 'token'] as const) {
          const expected = worthOf(now, place, kind)
          // What another instance wrote is known a moment later.
          await expect
            .poll(async () => (await worthAt(instance, key, kind)) ?? expected, { timeout: 5_000, interval: 10 })
            .toBe(expected)
        }
      }
    }
  }

  return { world, perform, stateOf, assertWorth, instances }
}

/** What the database should have of a world. */
export function expectedState({ people, sessions }: World) {
  return {
    people: people.map(({ exists, role, banned }) => (exists ? `${role} ${banned}` : 'gone')),
    sessions: sessions.filter(({ isLive }) => isLive).map(({ key }) => key),
  }
}

/** Whether an operation ended as the model says; Better-Auth and the command line have words of their own for why not. */
export function isAs(outcome: Outcome, { kind, door }: Operation, { status, isOk }: Answer): boolean {
  if (outcome === 'ok' || isOk) return isOk === (outcome === 'ok')
  if (kind === 'sign in' || door === 'cli') return true
  return door === 'v1' ? status === outcome : (status === 401) === (outcome === 401)
}

const idsOf = (people: { id: string }[]) => people.map(({ id }) => id)

async function toAnswer(asked: ReturnType<Doors['auth']>): Promise<Answer> {
  const { status, refusal } = await asked
  return { status, isOk: refusal === undefined }
}

async function byCommand({ services }: TestService, command: Parameters<typeof runAdminCommand>[1]): Promise<Answer> {
  try {
    await runAdminCommand(services, command)
    return { status: 200, isOk: true }
  } catch (error) {
    if (!(error instanceof Error) || /deadlock|timeout/i.test(error.message)) throw error
    return { status: 409, isOk: false }
  }
}
