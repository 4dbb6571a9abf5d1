import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { by, cookiesOf, createAuditedCalls, eventsOf, whoOf } from '../support/audit.ts'
import { createDoors } from '../support/doors.ts'
import { password, startService, startServiceForFile } from '../support/harness.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const doors = await createDoors(service)
const admin = await service.createSignedIn('admin')
const { v1, auth } = createAuditedCalls(service)
const newEmail = () => `${randomUUID()}@example.com`

describe('a sign-in has its event', () => {
  const signInWith = (email: string, given: string) => auth('/sign-in/email', { email, password: given })

  test('by who proves to be somebody, and how; so has the sign-out', async () => {
    const user = await doors.createMember()
    const { rows, response } = await signInWith(user.email, password)
    expect(whoOf({ rows, response })).toEqual([by(user, 'session.created', user)])
    expect(rows[0]?.changes['way']).toEqual({ from: null, to: 'password' })

    const cookie = cookiesOf(response)
    const out = await auth('/sign-out', {}, cookie)
    expect(whoOf(out)).toEqual([by(user, 'session.ended', user)])
    expect(out.rows[0]?.reason).toBe('sign-out')
  })

  test('that says, where another one was signed in, who signs in now', async () => {
    const [before, user] = [await doors.createMember(), await doors.createMember()]
    const { rows, response } = await auth('/sign-in/email', { email: user.email, password }, before.cookie)
    expect(whoOf({ rows, response })).toEqual([by(user, 'session.created', user), by(before, 'session.ended', before)])
    expect(rows[1]?.reason).toBe('replaced')
  })

  test('that failed, of the account that was named, by nobody who is known', async () => {
    const user = await doors.createMember()
    const { rows, response } = await signInWith(user.email.toUpperCase(), 'not the password')
    expect(response.status).toBe(401)
    expect(whoOf({ rows, response })).toEqual([by({ id: null }, 'sign_in.failed', user)])
    expect(rows[0]?.reason).toBe('INVALID_EMAIL_OR_PASSWORD')
  })

  test('that failed of no account: what was typed there, a password maybe, is not kept', async () => {
    const typed = `${randomUUID()}@example.com`
    const { rows } = await signInWith(typed, password)
    expect(rows.map(({ action, target_id, target_type }) => [action, target_id, target_type])).toEqual([
      ['sign_in.failed', null, null],
    ])
    expect(JSON.stringify(rows)).not.toContain(typed)
  })

  test('but for one that names no address, which is refused as such', async () => {
    const { rows, response } = await signInWith('no address', password)
    expect([response.status, rows]).toEqual([400, []])
  })

  test('but for a sign-up that is refused for where it comes from, which is none', async () => {
    let status: number | undefined
    const rows = await eventsOf(service.db, async () => {
      const headers = { origin: 'https://evil.example' }
      const json = { email: newEmail(), name: 'Ada', password }
      ;({ status } = await service.request('/api/auth/sign-up/email', { headers, json }))
    })
    expect([status, rows]).toEqual([403, []])
  })

  test('of who is banned, with why', async () => {
    const user = await doors.createMember()
    await v1(admin, 'POST', `/users/${user.id}/ban`, {})
    const { rows } = await signInWith(user.email, password)
    expect(rows.map(({ action, target_id, reason }) => [action, target_id, reason])).toEqual([
      ['sign_in.failed', user.id, 'BANNED_USER'],
    ])
  })

  test('and so has the end of the ban before it, by the service', async () => {
    const user = await doors.createMember()
    const hourAgo = new Date(Date.now() - 3_600_000)
    await service.db.updateTable('user').set({ banned: true, ban_expires: hourAgo }).where('id', '=', user.id).execute()
    const { rows, response } = await signInWith(user.email, password)
    expect(response.status).toBe(200)
    expect(rows.map(({ action, actor_type, actor_id }) => [action, actor_type, actor_id])).toEqual([
      ['user.unbanned', 'system', 'upkeep'],
      ['session.created', 'user', user.id],
    ])
  })

  test('and a sign-up those of its user', async () => {
    const email = newEmail()
    const { rows, response } = await auth('/sign-up/email', { email, name: 'Ada', password })
    const { user } = (await response.json()) as { user: { id: string } }
    expect(whoOf({ rows, response })).toEqual([
      by(user, 'user.created', user),
      by(user, 'password.set', user),
      by(user, 'session.created', user),
    ])
    expect(rows[2]?.changes['way']).toEqual({ from: null, to: 'sign-up' })
  })

  test('and one in the place of another session the end of that', async () => {
    const before = await doors.createMember()
    const { rows } = await auth('/sign-up/email', { email: newEmail(), name: 'Ada', password }, before.cookie)
    expect(rows.at(-1)).toMatchObject({ action: 'session.ended', target_id: before.id, reason: 'replaced' })
  })
})

test('the first admin has those of who opened the link of the log', async () => {
  const fresh = await startService()
  onTestFinished(fresh.stop)
  const link = fresh.logLines().find((line) => line.includes('/setup?token='))
  const token = /token=([\w-]+)/.exec(link ?? '')?.[1] ?? ''
  const rows = await eventsOf(fresh.db, () =>
    createVisitor(fresh).submit('/setup', { token, name: 'Ada', email: newEmail(), password }),
  )
  const { id } = await fresh.db.selectFrom('user').select('id').where('role', '=', 'admin').executeTakeFirstOrThrow()
  const requestId = rows[0]?.request_id
  expect(requestId).toMatch(/^[\da-f-]{36}$/)
  expect(rows).toMatchObject(
    ['user.created', 'password.set', 'session.created'].map((action) => ({
      action,
      actor_type: 'user',
      actor_id: id,
      target_id: id,
      request_id: requestId,
      ip_address: '127.0.0.1',
    })),
  )
})
