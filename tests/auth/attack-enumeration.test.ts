import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { evenAnswerMs, evenly } from '../../src/auth/endpoints/even-answer.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { comparable } from '../support/query-count.ts'
import { newUser } from '../support/visitor.ts'

// Whether an address has an account must be told neither by what is answered nor by how long it takes. That no answer
// waits for a mail server is in mail-failures.test.ts.
const { url } = await startMailServer()
const query = vi.spyOn(pg.Client.prototype, 'query')
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })

const { createMember } = await createDoors(service)

const nobody = () => `${randomUUID()}@example.com`

/** What the database was asked since the last `mockClear`, but for counters. */
function statements(): string[] {
  const asked = comparable(query.mock.calls.map(([text]) => String(text)))
  return asked.filter((text) => !/\brate_limit\b/.test(text))
}

/** The headers of an answer, but for those that no two have alike; of a cookie that is encrypted only how long it is. */
function headersOf({ headers }: Response): [string, string][] {
  const known = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  return known.map(([name, value]) => [name, value.replace(/=[\da-f]+;/, ({ length }) => `${length};`)])
}

function ask(path: string, json: object): Promise<Response> {
  return service.request(`/api/auth${path}`, { json, headers: { origin: service.baseUrl } })
}

test('I-11 an endpoint that answers evenly does so no sooner than when the time is up, with a success or an error', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const settled: unknown[] = []
  const note = (value: unknown) => settled.push(value)

  for (const answer of [Promise.resolve('done'), Promise.reject(new Error('refused'))])
    void evenly(() => answer)().then(note, ({ message }: Error) => note(message))

  await vi.advanceTimersByTimeAsync(evenAnswerMs - 1)
  expect(settled).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(settled).toEqual(['done', 'refused'])
})

test.each<[string, (email: string) => object]>([
  ['/request-password-reset', (email) => ({ email })],
  ['/sign-up/email', (email) => ({ ...newUser(), email })],
])('I-11 %s takes its time whether an address has an account or none', async (path, json) => {
  const { email } = await service.createUser()
  for (const address of [email, nobody()]) {
    const timeout = vi.spyOn(globalThis, 'setTimeout')
    expect((await ask(path, json(address))).status).toBe(200)

    expect(timeout.mock.calls.filter(([, ms]) => ms === evenAnswerMs)).toHaveLength(1)
    timeout.mockRestore()
  }
})

test.each([true, false])(
  'I-11 to send a link for an address anew (confirmed: %s) takes what it takes for none',
  async (emailVerified) => {
    const { email } = await service.createUser({ emailVerified })
    const path = async (address: string) => {
      query.mockClear()
      const response = await ask('/send-verification-email', { email: address })
      return {
        status: response.status,
        body: await response.json(),
        // No answer waits for how many letters an address has had.
        statements: statements(),
      }
    }

    const known = await path(email)

    expect(known.statements).not.toEqual([])
    expect(await path(nobody())).toEqual(known)
  },
)

test('I-10 a sign-in that fails hashes one password and is answered alike, whoever it is for', async () => {
  const { password: passwords } = await service.services.auth.$context
  const [hash, verify] = [vi.spyOn(passwords, 'hash'), vi.spyOn(passwords, 'verify')]
  onTestFinished(() => [hash, verify].forEach((spy) => spy.mockRestore()))
  const [member, banned, unconfirmed, withoutPassword] = [
    await createMember(),
    await createMember(),
    await createMember(),
    await service.createUser(),
  ]
  const change = (values: object, id: string) =>
    service.db.updateTable('user').set(values).where('id', '=', id).execute()
  await change({ banned: true }, banned.id)
  await change({ email_verified: false }, unconfirmed.id)

  const answers = []
  for (const email of [nobody(), member.email, banned.email, unconfirmed.email, withoutPassword.email]) {
    for (const spy of [hash, verify]) spy.mockClear()
    const response = await ask('/sign-in/email', { email, password: 'not this one' })
    const hashed = hash.mock.calls.length + verify.mock.calls.length
    answers.push({ status: response.status, body: await response.json(), headers: headersOf(response), hashed })
  }

  expect(answers[0]).toMatchObject({ status: 401, body: { code: 'INVALID_EMAIL_OR_PASSWORD' }, hashed: 1 })
  for (const answer of answers) expect(answer).toEqual(answers[0])
  expect((await ask('/sign-in/email', { email: member.email, password })).status).toBe(200)
})

test('I-10 a sign-in with what one has just signed up with does not tell whether the address was taken', async () => {
  const [confirmed, unconfirmed, mine] = [newUser(), newUser(), newUser()]
  for (const user of [confirmed, unconfirmed]) expect((await ask('/sign-up/email', user)).status).toBe(200)
  await service.db.updateTable('user').set({ email_verified: true }).where('email', '=', confirmed.email).execute()

  const answers = []
  for (const { email } of [mine, confirmed, unconfirmed]) {
    const user = { ...newUser(), email, password: 'chosen by Eve' }
    expect((await ask('/sign-up/email', user)).status).toBe(200)
    query.mockClear()
    const response = await ask('/sign-in/email', user)
    const { status } = response
    const asked = statements()
    const body = await response.json()
    answers.push({ status, body, statements: asked, known: headersOf(response) })
  }

  expect(answers[0]).toMatchObject({ status: 401, body: { code: 'INVALID_EMAIL_OR_PASSWORD' } })
  expect(answers[0]?.known.flat().join()).toContain('unconfirmed')
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
})
