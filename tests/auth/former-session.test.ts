import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { auth, createMember, open, whois } = await createDoors(service)

const signInAgain = (email: string, given = password) => ['/sign-in/email', { email, password: given }] as const
const signUpAnew = () => ['/sign-up/email', { email: `${randomUUID()}@example.com`, name: 'Eve', password }] as const

test.each<[string, (email: string) => readonly [string, object]]>([
  ['in again', signInAgain],
  ['up anew', signUpAnew],
])('who signs %s leaves no session of that browser behind, and keeps those elsewhere', async (_how, requestOf) => {
  const ada = await createMember()
  const elsewhere = await service.signIn(ada)
  const [path, json] = requestOf(ada.email)

  const answer = await auth(ada, path, json)

  expect(answer.status).toBe(200)
  const again = await open(sessionCookieIn(answer))
  expect(await whois({ cookie: again.cookie })).toBe(again.id)
  expect(await whois({ cookie: elsewhere.cookie })).toBe(ada.id)
  expect([await whois({ cookie: ada.cookie }), await whois({ token: ada.token })]).toEqual([
    'session-ended',
    'session-ended',
  ])
})

test('who fails to sign in again keeps the session', async () => {
  const ada = await createMember()

  const { status } = await auth(ada, ...signInAgain(ada.email, 'not this one'))

  expect([status, await whois({ cookie: ada.cookie })]).toEqual([401, ada.id])
})
