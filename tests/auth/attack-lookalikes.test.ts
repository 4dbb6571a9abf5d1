import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Answer, createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { lookalikesOf } from '../support/lookalikes.ts'
import { mailsTo } from '../support/mails.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, logLines } = service
const { auth, v1, createMember, signInWith } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const ada = await createMember()
const email = `kim.${randomUUID()}@example.com`
const strangers = { cookie: '' }
const signUp = (address: string) => auth(strangers, '/sign-up/email', { email: address, name: 'Kim', password })
beforeAll(() => signUp(email))

const create = (address: string) => ({ email: address, name: 'Eve', password })
const doors: [door: string, ask: (address: string) => Promise<Answer>][] = [
  ['/sign-up/email', signUp],
  ['/sign-in/email', (address) => signInWith(address, password)],
  ['/request-password-reset', (address) => auth(strangers, '/request-password-reset', { email: address })],
  ['/send-verification-email', (address) => auth(strangers, '/send-verification-email', { email: address })],
  ['/change-email', (address) => auth(ada, '/change-email', { newEmail: address, password })],
  ['/admin/create-user', (address) => auth(admin, '/admin/create-user', { ...create(address), role: 'user' })],
  ['/admin/update-user', (to) => auth(admin, '/admin/update-user', { userId: ada.id, data: { email: to } })],
  ['POST /users', (address) => v1(admin, 'POST', '/users', create(address))],
  ['PATCH /users/{id}', (address) => v1(admin, 'PATCH', `/users/${ada.id}`, { email: address })],
]

const addresses = async () => new Set((await db.selectFrom('user').select('email').execute()).map((row) => row.email))
const letters = () => logLines().filter((line) => line.includes('"mail":{')).length

describe('N-12 an address that resembles somebody’s', () => {
  test.each(doors)('is no address at %s', async (_door, ask) => {
    const before = await addresses()
    const sent = letters()
    const tried = lookalikesOf(email)
    // A few at once: an answer that may not tell anything takes its time.
    for (let i = 0; i < tried.length; i += 4) {
      const answers = await Promise.all(tried.slice(i, i + 4).map(([, address]) => ask(address)))
      for (const { status } of answers) expect([400, 422]).toContain(status)
    }
    expect(await addresses()).toEqual(before)
    expect(letters()).toBe(sent)
  })

  test('is the same one in capitals', async () => {
    const capitals = email.toUpperCase()
    expect((await signInWith(capitals, password)).status).toBe(200)
    expect(await signUp(capitals)).toMatchObject({ status: 422, refusal: 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL' })
    expect(await v1(admin, 'POST', '/users', create(capitals))).toMatchObject({ status: 409 })
    await auth(strangers, '/request-password-reset', { email: capitals })
    await expect.poll(() => mailsTo(service, email).length).toBe(1)
  })

  test('is none on the pages to sign up and in', async () => {
    const before = await addresses()
    for (const [, address] of lookalikesOf(email)) {
      for (const path of ['/sign-up', '/sign-in']) {
        const visitor = createVisitor(service)
        await visitor.submit(path, { name: 'Eve', email: address, password })
        expect([path, address, visitor.cookies.has(service.services.sessionCookies.name)]).toEqual([
          path,
          address,
          false,
        ])
      }
    }
    expect(await addresses()).toEqual(before)
    expect((await createVisitor(service).submit('/sign-in', { email, password })).at).toBe('/account')
  })

  test('is another one with letters that only look alike in ASCII, with a password of its own', async () => {
    const other = email.replace('kim', 'k1m')
    expect((await signInWith(other, password)).status).toBe(401)
    expect((await signUp(other)).status).toBe(200)
  })
})
