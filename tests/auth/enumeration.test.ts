import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { evenAnswerMs, evenly } from '../../src/auth/endpoints/even-answer.ts'
import { startServiceForFile } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { newUser } from '../support/visitor.ts'

// Whether an address has an account must be told neither by what is answered nor by how long it takes. That no answer
// waits for a mail server is in mail-failures.test.ts.
const { url } = await startMailServer()
const query = vi.spyOn(pg.Client.prototype, 'query')
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })

const nobody = () => `${randomUUID()}@example.com`

function ask(path: string, json: object): Promise<Response> {
  return service.request(`/api/auth${path}`, { json, headers: { origin: service.baseUrl } })
}

test('an endpoint that answers evenly does so no sooner than when the time is up, with a success or an error', async () => {
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
])('%s takes its time whether an address has an account or none', async (path, json) => {
  const { email } = await service.createUser()
  for (const address of [email, nobody()]) {
    const timeout = vi.spyOn(globalThis, 'setTimeout')
    expect((await ask(path, json(address))).status).toBe(200)

    expect(timeout.mock.calls.filter(([, ms]) => ms === evenAnswerMs)).toHaveLength(1)
    timeout.mockRestore()
  }
})

test.each([true, false])(
  'to send a link for an address anew (confirmed: %s) takes what it takes for none',
  async (emailVerified) => {
    const { email } = await service.createUser({ emailVerified })
    const path = async (address: string) => {
      query.mockClear()
      const response = await ask('/send-verification-email', { email: address })
      return {
        status: response.status,
        body: await response.json(),
        // No answer waits for how many letters an address has had.
        statements: query.mock.calls.map(([text]) => String(text)).filter((text) => !text.includes('"rate_limit"')),
      }
    }

    const known = await path(email)

    expect(known.statements).not.toEqual([])
    expect(await path(nobody())).toEqual(known)
  },
)
