import { describe, expect, test } from 'vitest'
import { runAdminCommand } from '../../src/admin/commands.ts'
import { type AuditRow, cookiesOf, createAuditedCalls, eventsOf } from '../support/audit.ts'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { db, request } = service
const { createMember } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const { v1, auth } = createAuditedCalls(service)

/** Who ended sessions of whom, why, how many, and of which admin who acted as them. */
function endsIn(rows: AuditRow[]) {
  return rows
    .filter(({ action }) => action === 'session.ended')
    .map(({ actor_type, actor_id, target_id, reason, changes }) => ({
      actor: actor_type === 'user' ? actor_id : `${actor_type} ${actor_id}`,
      target: target_id,
      reason,
      count: changes['count']?.to,
      impersonator: changes['impersonatedBy']?.from,
    }))
}

const endOf = (target: { id: string }, actor: { id: string } | string, reason: string, count = 1) => ({
  actor: typeof actor === 'string' ? actor : actor.id,
  target: target.id,
  reason,
  count,
  impersonator: undefined as string | undefined,
})

describe('the end of a session says who ended it, and why:', () => {
  test.each<[string, string, (user: SignedIn) => ReturnType<typeof auth>]>([
    ['signed out', 'sign-out', ({ cookie }) => auth('/sign-out', {}, cookie)],
    ['deleted the account', 'user-deleted', ({ cookie }) => auth('/delete-user', { password }, cookie)],
    [
      'changed the password',
      'password',
      ({ cookie }) =>
        auth('/change-password', { currentPassword: password, newPassword: 'quite another secret' }, cookie),
    ],
    ['ended all', 'revoked', ({ cookie }) => auth('/revoke-sessions', {}, cookie)],
    ['ended one by /api/v1', 'revoked', (user) => v1(user, 'DELETE', `/users/me/sessions/${user.sessionId}`)],
  ])('the user %s', async (_, reason, act) => {
    const user = await createMember()
    const { rows, response } = await act(user)
    expect([response.ok, endsIn(rows)]).toEqual([true, [endOf(user, user, reason)]])
  })

  test('the user ended those of other browsers, but not their own', async () => {
    const user = await createMember()
    await service.signIn(user)
    await service.signIn(user)
    const { rows } = await auth('/revoke-other-sessions', {}, user.cookie)
    expect(endsIn(rows)).toEqual([endOf(user, user, 'revoked', 2)])
  })

  test('the user signed in anew in the same browser', async () => {
    const user = await createMember()
    const again = await auth('/sign-in/email', { email: user.email, password }, user.cookie)
    expect(endsIn(again.rows)).toEqual([endOf(user, user, 'replaced')])
  })

  test.each<[string, string, (user: SignedIn) => ReturnType<typeof auth>]>([
    ['banned', 'banned', ({ id }) => v1(admin, 'POST', `/users/${id}/ban`)],
    ['banned by /api/auth', 'banned', ({ id }) => auth('/admin/ban-user', { userId: id }, admin.cookie)],
    ['deleted', 'user-deleted', ({ id }) => v1(admin, 'DELETE', `/users/${id}`)],
    ['removed by /api/auth', 'user-deleted', ({ id }) => auth('/admin/remove-user', { userId: id }, admin.cookie)],
    ['signed out', 'revoked', ({ id }) => v1(admin, 'DELETE', `/users/${id}/sessions`)],
    [
      'signed out by /api/auth',
      'revoked',
      ({ id }) => auth('/admin/revoke-user-sessions', { userId: id }, admin.cookie),
    ],
  ])('an admin %s the user', async (_, reason, act) => {
    const user = await createMember()
    const { rows, response } = await act(user)
    expect([response.ok, endsIn(rows)]).toEqual([true, [endOf(user, admin, reason)]])
  })

  test('an application led the user to the end of it', async () => {
    const client = createBareClient(
      service,
      await registerClient(service, { postLogoutRedirectUris: ['http://127.0.0.1:4999/bye'] }),
    )
    const user = await createMember()
    const { id_token: hint } = await client.tokensFor(user)
    const rows = await eventsOf(db, () =>
      request(`/api/auth/oauth2/end-session?id_token_hint=${hint}`, { cookie: user.cookie }),
    )
    expect(endsIn(rows)).toEqual([endOf(user, user, 'sign-out')])
  })

  test('the command line ended all', async () => {
    const user = await createMember()
    const rows = await eventsOf(db, () => runAdminCommand(service.services, { command: 'end-sessions' }))
    expect(endsIn(rows)).toContainEqual(endOf(user, 'system cli', 'revoked'))
    Object.assign(admin, await service.signIn(admin))
  })
})

describe('the end of a session in which an admin acts as somebody says who ended it, and why:', () => {
  /** An admin who acts as a user, with what the browser has of both. */
  async function begin() {
    const [as, user] = [await createMember('admin'), await createMember()]
    const { response } = await auth('/admin/impersonate-user', { userId: user.id }, as.cookie)
    return { user, as, cookie: cookiesOf(response) }
  }

  const actingEnd = ({ user, as }: Awaited<ReturnType<typeof begin>>, actor: { id: string }, reason: string) => ({
    ...endOf(user, actor, reason),
    impersonator: as.id,
  })

  test.each([
    ['stops', '/admin/stop-impersonating'],
    ['signs out', '/sign-out'],
  ])('the admin %s', async (_, path) => {
    const given = await begin()
    const { rows, response } = await auth(path, {}, given.cookie)
    expect([response.ok, endsIn(rows)]).toEqual([true, [actingEnd(given, given.as, 'sign-out')]])
  })

  test.each<[string, (as: SignedIn) => ReturnType<typeof auth>]>([
    ['loses the role', ({ id }) => v1(admin, 'PUT', `/users/${id}/role`, { role: 'user' })],
    ['is banned', ({ id }) => v1(admin, 'POST', `/users/${id}/ban`)],
    ['is deleted', ({ id }) => v1(admin, 'DELETE', `/users/${id}`)],
  ])('the admin %s', async (_, act) => {
    const given = await begin()
    const { rows, response } = await act(given.as)
    expect(response.ok).toBe(true)
    expect(endsIn(rows)).toContainEqual(actingEnd(given, admin, 'impersonator'))
  })

  test('the user gets another password, is banned, or deleted', async () => {
    const changed = await begin()
    const { user } = changed
    const { rows } = await auth(
      '/change-password',
      { currentPassword: password, newPassword: 'quite another secret' },
      user.cookie,
    )
    expect(endsIn(rows)).toContainEqual(actingEnd(changed, user, 'password'))

    const banned = await begin()
    const ban = await v1(admin, 'POST', `/users/${banned.user.id}/ban`)
    expect(endsIn(ban.rows)).toContainEqual(actingEnd(banned, admin, 'banned'))

    const deleted = await begin()
    const deletion = await v1(admin, 'DELETE', `/users/${deleted.user.id}`)
    expect(endsIn(deletion.rows)).toContainEqual(actingEnd(deleted, admin, 'user-deleted'))
  })

  test('the admin gets another password', async () => {
    const given = await begin()
    const { rows } = await auth(
      '/change-password',
      { currentPassword: password, newPassword: 'quite another secret' },
      given.as.cookie,
    )
    expect(endsIn(rows)).toHaveLength(2)
    expect(endsIn(rows)).toContainEqual(endOf(given.as, given.as, 'password'))
    expect(endsIn(rows)).toContainEqual(actingEnd(given, given.as, 'password'))
  })
})
