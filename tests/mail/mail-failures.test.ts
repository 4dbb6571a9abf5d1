import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startService, type TestService } from '../support/harness.ts'
import { startMailServer } from '../support/mail-server.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { newUser } from '../support/visitor.ts'

/** A server that takes connections and never says anything. */
async function startSilent(): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const refusing = async (code: number) =>
  (await startMailServer({ refuse: Array.from({ length: 10 }, () => code), whenDone: onTestFinished })).url

const failuresOf = ({ logLines }: TestService) => logLines().filter((line) => line.includes('mail could not be sent'))

/** What is answered to each request that sends mail, and to one more. */
async function askAll(service: TestService) {
  const ada = newUser()
  const { email } = ada
  const answers: [status: number, body: unknown][] = []
  for (const [path, json] of [
    ['/sign-up/email', ada],
    ['/request-password-reset', { email }],
    ['/send-verification-email', { email }],
    ['/sign-in/email', ada],
  ] as const) {
    const response = await service.request(`/api/auth${path}`, { json, headers: { origin: service.baseUrl } })
    answers.push([response.status, await response.json()])
  }
  return answers
}

const asEver = [
  [200, { token: null, user: { email: expect.any(String) } }],
  [200, { status: true }],
  [200, { status: true }],
  [401, { code: 'INVALID_EMAIL_OR_PASSWORD' }],
]

// Whoever waited for all attempts at one of these would wait longer than a test may take.
test.each<[string, () => Promise<string>]>([
  ['is down', async () => `smtp://127.0.0.1:${await freePort()}`],
  ['takes no mail yet', () => refusing(451)],
  ['refuses mail for good', () => refusing(550)],
])('R-37 with a mail server that %s every request is answered as ever', async (_what, start) => {
  const service = await startService({ env: { SMTP_URL: await start(), MAIL_FROM: 'auth@example.com' } })
  onTestFinished(service.stop)

  expect(await askAll(service)).toMatchObject(asEver)
})

test('R-37 with a mail server that says nothing every request is answered before the first attempt is over', async () => {
  const service = await startService({ env: { SMTP_URL: await startSilent(), MAIL_FROM: 'auth@example.com' } })
  onTestFinished(service.stop)

  expect(await askAll(service)).toMatchObject(asEver)
  expect(failuresOf(service)).toEqual([])
})

test('R-37 that a mail server is down is logged, without who the mail was for', async () => {
  const env = { SMTP_URL: `smtp://127.0.0.1:${await freePort()}`, MAIL_FROM: 'auth@example.com' }
  const down = await startService({ env })
  onTestFinished(down.stop)
  const ada = newUser()
  await down.request('/api/auth/sign-up/email', { json: ada, headers: { origin: down.baseUrl } })

  await expect.poll(() => failuresOf(down), { timeout: 5_000 }).not.toEqual([])
  for (const line of failuresOf(down)) expect(line).not.toContain(ada.email)
})
