import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { password, startService, startServiceForFile, type TestService } from '../support/harness.ts'

const service = await startServiceForFile()
const admin = await service.createSignedIn('admin')
const email = `${randomUUID()}@example.com`
const overloaded = { code: 'OVERLOADED', message: expect.any(String) as string }

const signIn = (to: TestService, address: string, secret: string) =>
  to.request('/api/auth/sign-in/email', {
    headers: { origin: to.baseUrl },
    json: { email: address, password: secret },
  })

/** The threads that are started from now on. */
function watchThreads(): Worker[] {
  const threads: Worker[] = []
  const note = (thread: Worker) => threads.push(thread)
  process.on('worker', note)
  onTestFinished(() => void process.off('worker', note))
  return threads
}

/** Does something as soon as the next password of a service is being checked. */
async function onChecking({ services }: TestService, act: () => void): Promise<void> {
  const { password: passwords } = await services.auth.$context
  const { verify } = passwords
  const spy = vi.spyOn(passwords, 'verify').mockImplementationOnce((asked) => {
    const checked = verify(asked)
    act()
    return checked
  })
  onTestFinished(() => spy.mockRestore())
}

beforeAll(async () => {
  await service.services.userAccounts.create({ email, password, name: 'Ada', role: 'user', emailVerified: true })
})

test('D-01, R-31 of too many sign-ins at once some are refused, whoever they are for, and nothing else is', async () => {
  let answered = 0
  const attempts = Array.from({ length: 200 }, async (_, i) => {
    const address = i % 2 === 0 ? email : `${randomUUID()}@example.com`
    const response = await signIn(service, address, 'not the password')
    answered++
    return { isKnown: i % 2 === 0, response }
  })
  const others = await Promise.all([
    service.request('/api/v1/auth/me', { token: admin.token }),
    service.request('/api/v1/auth/me', { cookie: admin.cookie }),
    service.request('/api/auth/token', { cookie: admin.cookie }),
    service.request('/api/v1/users', { token: admin.token }),
    service.request('/sign-in'),
  ])
  expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  expect(answered).toBeLessThan(200)

  const outcomes = await Promise.all(attempts)
  for (const isKnown of [true, false]) {
    const statuses = new Set(outcomes.filter((one) => one.isKnown === isKnown).map(({ response }) => response.status))
    expect(statuses).toEqual(new Set([401, 503]))
  }
  for (const { response } of outcomes.filter(({ response }) => response.status === 503)) {
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(await response.json()).toEqual(overloaded)
  }
  expect((await signIn(service, email, password)).status).toBe(200)
})

test('requests that never come to their end keep nobody from signing in', async () => {
  const { hostname, port } = new URL(service.url)
  const head =
    'POST /api/auth/sign-in/email HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n'
  const sockets = Array.from({ length: 300 }, () => connect(Number(port), hostname))
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (const socket of sockets) socket.write(head)
  // What is asked after them is answered after they were taken.
  expect((await service.request('/health')).status).toBe(200)
  expect((await signIn(service, email, password)).status).toBe(200)
})

test('R-36 who signs in while the thread is killed is signed in', async () => {
  const busy = await startService()
  onTestFinished(() => busy.stop())
  const threads = watchThreads()
  await busy.services.userAccounts.create({ email, password, name: 'Ada', role: 'user', emailVerified: true })
  const [first] = threads
  await onChecking(busy, () => void first?.terminate())

  expect((await signIn(busy, email, password)).status).toBe(200)
  expect(threads).toHaveLength(2)
})

test('who is signing in when the service is stopped is signed in, and no thread is left', async () => {
  const stopped = await startService()
  const threads = watchThreads()
  await stopped.services.userAccounts.create({ email, password, name: 'Ada', role: 'user', emailVerified: true })
  let stopping: Promise<void> | undefined
  await onChecking(stopped, () => {
    stopping = stopped.stop()
  })

  expect((await signIn(stopped, email, password)).status).toBe(200)
  await stopping
  expect(threads.map(({ threadId }) => threadId)).toEqual([-1])
})

test('a service that checks no password has no thread for it', async () => {
  const threads = watchThreads()
  const idle = await startService()
  expect((await idle.request('/sign-in')).status).toBe(200)
  await idle.stop()

  expect(threads).toEqual([])
})

/** A service whose lane takes nothing any more. */
let full: TestService
let signedIn: Awaited<ReturnType<TestService['createSignedIn']>>
beforeAll(async () => {
  full = await startService()
  signedIn = await full.signIn({
    id: await full.services.userAccounts.create({ email, password, name: 'Ada', role: 'admin', emailVerified: true }),
    email,
  })
  await full.services.hashLane.close()
})
afterAll(() => full.stop())

const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Bob', password })

test.each<[string, () => Promise<Response>]>([
  ['a sign-in', () => signIn(full, email, password)],
  ['a sign-in for nobody', () => signIn(full, 'nobody@example.com', password)],
  ['a sign-up', () => full.request('/api/auth/sign-up/email', { headers: { origin: full.baseUrl }, json: newUser() })],
  [
    'a change of password',
    () =>
      full.request('/api/auth/change-password', {
        cookie: signedIn.cookie,
        json: { currentPassword: password, newPassword: 'another password' },
      }),
  ],
  [
    'the end of an account',
    () => full.request('/api/auth/delete-user', { cookie: signedIn.cookie, json: { password } }),
  ],
  [
    'a user made by the admin client',
    () =>
      full.request('/api/auth/admin/create-user', { cookie: signedIn.cookie, json: { ...newUser(), role: 'user' } }),
  ],
])('%s is refused when there is too much to hash', async (_what, send) => {
  const response = await send()

  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect(await response.json()).toEqual(overloaded)
})

test('a sign-in is refused before anything is looked up for it', async () => {
  const { internalAdapter } = await full.services.auth.$context
  const lookUp = vi.spyOn(internalAdapter, 'findUserByEmail')
  onTestFinished(() => lookUp.mockRestore())

  expect((await signIn(full, email, password)).status).toBe(503)
  expect(lookUp).not.toHaveBeenCalled()
})

test('a user with a password is refused with a problem, one without is made', async () => {
  const { password: _, ...invited } = newUser()
  const refused = await full.request('/api/v1/users', { token: signedIn.token, json: newUser() })

  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect(await refused.json()).toMatchObject({ type: '/problems/overloaded' })
  expect((await full.request('/api/v1/users', { token: signedIn.token, json: invited })).status).toBe(201)
})

test('the page for signing in says so in plain words', async () => {
  const response = await full.request('/sign-in', {
    headers: { origin: full.baseUrl, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ email, password }).toString(),
  })

  expect(await response.text()).toContain('There is too much to do right now. Try again in a moment.')
})

test('no refusal is logged as a failure', () => {
  const lines = full.logLines().map((line) => JSON.parse(line) as { level: number; msg: string })

  expect(lines.filter(({ level }) => level >= 50)).toEqual([])
})
