import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { actionsOf, by, cookiesOf, createAuditedCalls, whoOf } from '../support/audit.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const doors = await createDoors(service)
const admin = await service.createSignedIn('admin')
const { v1, auth } = createAuditedCalls(service)
const newEmail = () => `${randomUUID()}@example.com`

describe('a change by /api/v1 has its event', () => {
  test.each<[string, string, unknown, string, object]>([
    ['PATCH', '', { name: 'Renamed' }, 'user.updated', { name: { from: 'Test User', to: 'Renamed' } }],
    ['PUT', '/role', { role: 'moderator' }, 'user.role_changed', { role: { from: 'user', to: 'moderator' } }],
    ['PATCH', '', { emailVerified: false }, 'user.updated', { emailVerified: { from: true, to: false } }],
    [
      'POST',
      '/ban',
      { reason: 'Spam', expiresAt: '2099-01-01T00:00:00Z' },
      'user.banned',
      {
        banned: { from: false, to: true },
        banReason: { from: null, to: 'Spam' },
        banExpires: { from: null, to: '2099-01-01T00:00:00.000Z' },
      },
    ],
  ])('%s /users/{id}%s %o', async (method, path, json, action, changes) => {
    const user = await service.createUser()
    const { rows, response } = await v1(admin, method, `/users/${user.id}${path}`, json)

    expect(response.status).toBe(200)
    expect(whoOf({ rows, response })).toEqual([by(admin, action, user)])
    expect(rows[0]?.changes).toEqual(changes)
  })

  test('of the reason of a ban, of what it ends, and of its end', async () => {
    const user = await service.createSignedIn()
    const banned = await v1(admin, 'POST', `/users/${user.id}/ban`, { reason: 'Spam' })
    expect(whoOf(banned)).toEqual([by(admin, 'session.ended', user), by(admin, 'user.banned', user)])
    expect(banned.rows.map(({ reason }) => reason)).toEqual(['banned', 'Spam'])

    const again = await v1(admin, 'DELETE', `/users/${user.id}/ban`)
    expect(actionsOf(again.rows)).toEqual(['user.unbanned'])
  })

  test('of making and deleting a user, with what there was', async () => {
    const email = newEmail()
    const made = await v1(admin, 'POST', '/users', { email, name: 'New', password })
    const { id } = (await made.response.json()) as { id: string }
    expect(whoOf(made)).toEqual([by(admin, 'user.created', { id }), by(admin, 'password.set', { id })])
    expect(made.rows[0]?.changes['email']).toEqual({ from: null, to: email })

    const deleted = await v1(admin, 'DELETE', `/users/${id}`)
    expect(whoOf(deleted)).toEqual([by(admin, 'user.deleted', { id })])
    expect(deleted.rows[0]?.changes['email']).toEqual({ from: email, to: null })
  })

  test('of sessions that are ended: one, however many they are', async () => {
    const user = await service.createSignedIn()
    const { sessionId } = await service.signIn(user)
    const one = await v1(admin, 'DELETE', `/users/${user.id}/sessions/${sessionId}`)
    expect(one.rows.map(({ action, reason, changes }) => ({ action, reason, changes }))).toEqual([
      {
        action: 'session.ended',
        reason: 'revoked',
        changes: { sessionIds: { from: [sessionId], to: null }, count: { from: null, to: 1 } },
      },
    ])
    await service.signIn(user)
    const all = await v1(user, 'DELETE', '/users/me/sessions')
    expect(whoOf(all)).toEqual([by(user, 'user.tokens_ended', user), by(user, 'session.ended', user)])
    expect(all.rows[1]?.changes['count']).toEqual({ from: null, to: 2 })
  })

  test('and of a client, whose secret is nowhere', async () => {
    const registered = await v1(admin, 'POST', '/clients', {
      name: 'Weather',
      redirectUris: ['https://weather.example.com/cb'],
    })
    const { id } = (await registered.response.json()) as { id: string }
    const renamed = await v1(admin, 'PATCH', `/clients/${id}`, { name: 'Renamed' })
    const rotated = await v1(admin, 'POST', `/clients/${id}/secret`)
    const deleted = await v1(admin, 'DELETE', `/clients/${id}`)

    const rows = [registered, renamed, rotated, deleted].flatMap(({ rows: some }) => some)
    expect(actionsOf(rows)).toEqual(['client.created', 'client.updated', 'client.secret_rotated', 'client.deleted'])
    expect(rows.map(({ actor_id, target_type, target_id }) => [actor_id, target_type, target_id])).toEqual(
      rows.map(() => [admin.id, 'client', id]),
    )
    expect(rows[1]?.changes).toEqual({ name: { from: 'Weather', to: 'Renamed' } })
    expect(rows[2]?.changes).toEqual({})
  })

  test('but not what is refused, what only reads, nor what changes nothing', async () => {
    const user = await service.createSignedIn()
    const other = await service.createUser()
    const calls = [
      () => v1(user, 'PATCH', `/users/${other.id}`, { name: 'Mine' }),
      () => v1(admin, 'DELETE', `/users/${admin.id}`),
      () => v1(admin, 'GET', `/users/${other.id}`),
      () => v1(admin, 'PUT', `/users/${other.id}/role`, { role: 'user' }),
    ]
    const statuses: number[] = []
    for (const one of calls) {
      const { rows, response } = await one()
      expect(rows).toEqual([])
      statuses.push(response.status)
    }
    expect(statuses).toEqual([403, 409, 200, 200])
  })
})

describe('a change by /api/auth has its event', () => {
  test('of an admin’s endpoints', async () => {
    const user = await service.createUser()
    const { rows, response } = await auth('/admin/set-role', { userId: user.id, role: 'moderator' }, admin.cookie)
    expect(whoOf({ rows, response })).toEqual([by(admin, 'user.role_changed', user)])

    const acting = await auth('/admin/impersonate-user', { userId: user.id }, admin.cookie)
    expect(whoOf(acting)).toEqual([by(admin, 'session.impersonated', user)])
    expect(acting.rows[0]?.changes['impersonatedBy']).toEqual({ from: null, to: admin.id })

    const cookie = cookiesOf(acting.response)
    const ended = await auth('/sign-out', {}, cookie)
    expect(whoOf(ended)).toEqual([by(admin, 'session.ended', user)])
    expect(ended.rows[0]?.changes['impersonatedBy']).toEqual({ from: admin.id, to: null })
  })

  test.each<[string, (own: string, other: string) => Record<string, string>]>([
    ['a bearer token that is none', (cookie) => ({ cookie, authorization: 'Bearer x' })],
    ['a JWT', (cookie) => ({ cookie, authorization: `Bearer ${admin.token}` })],
    ['a cookie of somebody else after it', (own, other) => ({ cookie: `${own}; ${other}` })],
    ['a cookie before it that no browser sends so', (own, other) => ({ cookie: `\u00a0${own}; ${other}` })],
  ])('by whose session it is, beside %s', async (_, headersOf) => {
    const user = await service.createUser()
    const other = await service.createSignedIn('admin')
    const { rows, response } = await auth(
      '/admin/ban-user',
      { userId: user.id },
      undefined,
      headersOf(admin.cookie, other.cookie),
    )
    expect(response.status).toBe(200)
    expect(whoOf({ rows, response })).toContainEqual(by(admin, 'user.banned', user))
  })

  test('of one’s own profile and password', async () => {
    const user = await doors.createMember()
    const renamed = await auth('/update-user', { name: 'Renamed' }, user.cookie)
    expect(whoOf(renamed)).toEqual([by(user, 'user.updated', user)])

    const wrong = await auth(
      '/change-password',
      { currentPassword: 'not the one', newPassword: 'another secret' },
      user.cookie,
    )
    expect(wrong.response.status).toBe(400)
    expect(whoOf(wrong)).toEqual([by(user, 'password.refused', user)])

    const changed = await auth(
      '/change-password',
      { currentPassword: password, newPassword: 'quite another secret' },
      user.cookie,
    )
    expect(changed.response.status).toBe(200)
    const events = whoOf(changed)
    expect(events).toContainEqual(by(user, 'password.changed', user))
    expect(events).toContainEqual(by(user, 'session.ended', user))
    expect(new Set(events.map(String)).size).toBe(events.length)
  })
})
