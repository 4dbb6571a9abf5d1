import { decodeJwt } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { createDoors, type Doors } from '../support/doors.ts'
import {
  createTestDatabase,
  password,
  type SignedIn,
  startService,
  startServiceForFile,
  type TestService,
} from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'

const { url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })
const { v1, createMember, signInWith } = await createDoors(service)

test('A-15 with another address or none confirmed, what is so now counts, whatever a token says', async () => {
  const [admin, user] = [await service.createSignedIn('admin'), await createMember()]
  const email = `new-${user.email}`
  expect(decodeJwt(user.token)['email']).toBe(user.email)

  expect((await v1(admin, 'PATCH', `/users/${user.id}`, { email, emailVerified: false })).status).toBe(200)

  for (const credential of [{ token: user.token }, { cookie: user.cookie }]) {
    const me = await service.request('/api/v1/auth/me', credential)
    expect(await me.json()).toMatchObject({ id: user.id, email, emailVerified: false })
  }
  const renewed = (await (await service.request('/api/auth/token', { cookie: user.cookie })).json()) as {
    token: string
  }
  expect(decodeJwt(renewed.token)['email']).toBe(email)
  const { iat = 0, exp = 0 } = decodeJwt(user.token)
  expect(exp - iat).toBeLessThanOrEqual(900)
  expect([(await signInWith(user.email, password)).status, (await signInWith(email, password)).status]).toEqual([
    401, 401,
  ])

  await v1(admin, 'PATCH', `/users/${user.id}`, { emailVerified: true })
  expect((await signInWith(email, password)).status).toBe(200)
})

test('A-10 a user who was unbanned signs in again', async () => {
  const [user, admin] = [await createMember(), await service.createSignedIn('admin')]
  await v1(admin, 'POST', `/users/${user.id}/ban`)
  await v1(admin, 'DELETE', `/users/${user.id}/ban`)

  expect((await signInWith(user.email, password)).status).toBe(200)
})

const ends: [name: string, end: (doors: Doors, user: SignedIn, admin: SignedIn) => Promise<unknown>, is: string][] = [
  ['signed out', ({ auth }, user) => auth(user, '/sign-out'), 'session-ended'],
  ['was banned', ({ v1: api }, { id }, admin) => api(admin, 'POST', `/users/${id}/ban`), 'banned'],
  ['was deleted', ({ v1: api }, { id }, admin) => api(admin, 'DELETE', `/users/${id}`), 'session-ended'],
  [
    'had their sessions revoked',
    ({ v1: api }, { id }, admin) => api(admin, 'DELETE', `/users/${id}/sessions`),
    'session-ended',
  ],
  [
    'changed the password',
    ({ auth }, user) => auth(user, '/change-password', { currentPassword: password, newPassword: 'another horse' }),
    'session-ended',
  ],
]

test('A-20, R-24 what ended stays so when the service starts again right afterwards', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.remove())
  const first = await startService({ database })
  const doors = await createDoors(first)
  const admin = await first.createSignedIn('admin')
  const gone = await Promise.all(ends.map(() => doors.createMember()))
  for (const [n, [, end]] of ends.entries()) {
    const user = gone[n] as SignedIn
    expect(await doors.whois(user)).toBe(user.id)
    await end(doors, user, admin)
  }
  await first.stop()

  // At the same address: a token names it.
  const second = await startService({ database, env: { PORT: '0', BETTER_AUTH_URL: first.baseUrl } })
  onTestFinished(() => second.stop())

  expect(await worthOf(second, admin)).toEqual({ token: admin.id, cookie: admin.id })
  for (const [n, [name, , slug]] of ends.entries()) {
    const worth = await worthOf(second, gone[n] as SignedIn)
    expect([name, worth]).toEqual([name, { token: slug, cookie: 'session-ended' }])
  }
})

/** Whom a token and a cookie stand for at a service, or the problem. */
async function worthOf(of: TestService, { token, cookie }: SignedIn) {
  const { whois } = await createDoors(of)
  return { token: await whois({ token }), cookie: await whois({ cookie }) }
}
