import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile({ env: { TRUSTED_ORIGINS: 'https://app.example.com' } })
const { request, db, baseUrl } = service
const { auth, createMember, rowsOf } = await createDoors(service)

test.each(['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)'])(
  'nobody is sent to %s after a sign-up, a sign-in, a reset or a verification',
  async (target) => {
    const email = `${randomUUID()}@example.com`
    const headers = { origin: baseUrl }
    const asked = [
      ['/sign-up/email', { email, name: 'Ada', password, callbackURL: target }],
      ['/request-password-reset', { email, redirectTo: target }],
      ['/sign-in/email', { email, password, callbackURL: target }],
      ['/send-verification-email', { email, callbackURL: target }],
    ] as const

    for (const [path, json] of asked) {
      expect((await request(`/api/auth${path}`, { json, headers })).status).toBe(403)
    }
  },
)

test.each([{}, { newPassword: 7, currentPassword: password }, { newPassword: 'another password' }])(
  'a change of password by %o is refused as malformed',
  async (json) => {
    const ada = await createMember()

    expect(await auth(ada, '/change-password', json)).toMatchObject({ status: 400, refusal: 'VALIDATION_ERROR' })
  },
)

test.each([{}, { password: '' }, { token: 'any' }, { callbackURL: '/account' }])(
  'who has a password deletes the account with it and not with %o',
  async (json) => {
    const ada = await createMember()
    const before = await rowsOf(ada.id)

    const { status, refusal } = await auth(ada, '/delete-user', json)

    expect([status, refusal]).toEqual([400, 'INVALID_PASSWORD'])
    expect(await rowsOf(ada.id)).toEqual(before)
    expect((await auth(ada, '/delete-user', { ...json, token: undefined, password })).status).toBe(200)
    expect((await rowsOf(ada.id)).user).toEqual([])
  },
)

test('who has no password deletes the account without one', async () => {
  const ada = await service.createSignedIn()

  expect((await auth(ada, '/delete-user')).status).toBe(200)
  expect((await rowsOf(ada.id)).user).toEqual([])
})

test('nothing that a stranger asks of a provider is logged as an error', async () => {
  const since = service.logLines().length
  const asked = ['callback/google?code=x&state=y', 'callback/google?code=x', 'callback/nobody?error=x&state=y']
  for (const path of asked) await request(`/api/auth/${path}`)
  await request('/api/auth/sign-in/social', { json: { provider: 'nobody' }, headers: { origin: baseUrl } })

  const levels = service
    .logLines()
    .slice(since)
    .map((line) => (JSON.parse(line) as { level: number }).level)
  expect(levels.length).toBeGreaterThan(asked.length)
  expect(Math.max(...levels)).toBe(40)
})

test('a mailed token cannot be read from the database', async () => {
  const ada = await createMember()
  await request('/api/auth/request-password-reset', { json: { email: ada.email }, headers: { origin: baseUrl } })
  const token = mailedToken(service, ada.email)
  expect(token.length).toBeGreaterThan(16)

  const rows = await db.selectFrom('verification').selectAll().execute()

  expect(rows).toHaveLength(1)
  expect(JSON.stringify(rows)).not.toContain(token)
})
