import { describe, expect, test } from 'vitest'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { password, type SignedIn, startService, startServiceForFile } from '../support/harness.ts'
import { documentedOperations, examples, grantClient } from '../support/openapi.ts'
import { createCalls, refusal, refusalOf } from '../support/refusals.ts'

const service = await startServiceForFile()
const operations = await documentedOperations(service)
const { auth, createMember, open, rowsOf } = await createDoors(service)
const target = await grantClient(service, await service.createSignedIn())
const { call, stateOf } = createCalls(service, target)
const credentials = ['token', 'cookie'] as const

/** A session in which an admin acts as somebody. */
async function actingAs(role: string): Promise<SignedIn> {
  const [admin, user] = [await createMember('admin'), await createMember(role)]
  return open(sessionCookieIn(await auth(admin, '/admin/impersonate-user', { userId: user.id })))
}

const actingAsAdmin = await actingAs('admin')
const unverified = await service.signIn(await service.createUser({ emailVerified: false }))

// Banned, deleted and signed-out admins: attack-stale-operations.test.ts.
describe.each(operations.filter(({ id }) => examples[id]?.kind !== 'own'))(
  'E-15 $id about somebody else',
  (operation) => {
    test.each([
      ['who acts as another admin', actingAsAdmin],
      ['whose address is not verified', unverified],
    ])('is refused to somebody %s', async (_name, user) => {
      for (const credential of credentials) {
        const before = await stateOf(target.id)

        const response = await call(operation, { [credential]: user[credential] })

        expect(await refusalOf(response)).toEqual(refusal(403, 'forbidden', null))
        expect(await stateOf(target.id)).toEqual(before)
      }
    })
  },
)

test('E-15 the admin as whom somebody acts is let in by a session of their own', async () => {
  const own = await service.signIn({ id: actingAsAdmin.id, email: actingAsAdmin.email })
  const response = await service.request('/api/v1/users', { token: own.token })
  expect(response.status).toBe(200)
})

test('E-15 with mail an admin whose address is not verified is not signed in', async () => {
  const mailed = await startService({ env: { SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'a@example.com' } })
  try {
    const doors = await createDoors(mailed)
    const { email, id } = await doors.createMember('admin')
    expect((await doors.signInWith(email, password)).status).toBe(200)
    await mailed.db.updateTable('user').set({ email_verified: false }).where('id', '=', id).execute()
    expect(await doors.signInWith(email, password)).toMatchObject({
      status: 401,
      refusal: 'INVALID_EMAIL_OR_PASSWORD',
    })
  } finally {
    await mailed.stop()
  }
})

describe('E-18 while one acts as a user', () => {
  test('no application is made, or changed', async () => {
    const acting = await actingAs('admin')
    const before = await service.db.selectFrom('oauth_client').select('client_id').orderBy('client_id').execute()
    const json = { name: 'Weather', redirectUris: ['https://weather.example.com/cb'] }
    for (const credential of credentials) {
      const headers = { origin: service.baseUrl }
      const options = { json, headers, [credential]: acting[credential] }
      expect((await service.request('/api/v1/clients', options)).status).toBe(403)
    }
    expect(await service.db.selectFrom('oauth_client').select('client_id').orderBy('client_id').execute()).toEqual(
      before,
    )
  })
})

test('E-19 nobody sets a password for somebody else', async () => {
  const [admin, other] = [await createMember('admin'), await createMember('admin')]
  const before = await rowsOf(other.id)
  const newPassword = 'another horse battery'
  expect((await auth(admin, '/admin/set-user-password', { userId: other.id, newPassword })).status).toBe(404)
  expect((await auth(admin, '/admin/update-user', { userId: other.id, data: { password: newPassword } })).status).toBe(
    400,
  )
  const options = { method: 'PATCH', token: admin.token, json: { password: newPassword } }
  expect((await service.request(`/api/v1/users/${other.id}`, options)).status).toBe(422)
  expect(await rowsOf(other.id)).toEqual(before)
})
