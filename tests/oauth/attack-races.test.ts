import { afterAll, describe, expect, test, vi } from 'vitest'
import { createBareClient, over, type Reply, type Tokens, tokensIn, useOf } from '../support/bare-client.ts'
import { onPostgres } from '../support/database-template.ts'
import { createDoors } from '../support/doors.ts'
import { createTestDatabase, password, type SignedIn, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const database = await createTestDatabase()
afterAll(() => database.remove())
const service = await startServiceForFile({ database })
const registered = await registerClient(service)
const client = createBareClient(service, registered)
const admin = await service.createSignedIn('admin')
const { auth, createMember } = await createDoors(service)
const newPassword = 'a better horse battery'

// Of the embedded database there is one process only.
const second = onPostgres ? await startService({ database, env: { BETTER_AUTH_URL: service.baseUrl } }) : undefined
afterAll(() => second?.stop())
const clients = [client, second ? createBareClient(second, registered) : client]

const api = (path: string, method: string, json?: object) =>
  service.request(`/api/v1/users/${path}`, { method, token: admin.token, ...(json && { json }) })

/** Ten calls at once, by turns to each instance. */
const ten = (call: (with_: typeof client) => Promise<Reply>) =>
  Promise.all(Array.from({ length: 10 }, (_, n) => call(clients[n % 2] ?? client)))

function winnersOf(replies: readonly Reply[]): Tokens[] {
  const losers = replies.filter(({ status }) => status !== 200)
  expect(losers.map(({ status, body }) => [status, body['error']])).toEqual(losers.map(() => [400, 'invalid_grant']))
  return replies.filter(({ status }) => status === 200).map(tokensIn)
}

describe.each([1, 2, 3])('round %i', () => {
  test('P-07 a code that is redeemed ten times at once is good once at most, and leaves nothing half alive', async () => {
    const user = await service.createSignedIn()
    const code = await client.codeFor(createVisitor(service, user.cookie))

    const winners = winnersOf(await ten((with_) => with_.redeem(code)))

    expect(winners.length).toBeLessThanOrEqual(1)
    for (const tokens of winners) expect(await useOf(service, client, tokens)).toEqual(over)
    const reused = service.db.selectFrom('audit_event').select('seq').where('action', '=', 'token.reused')
    expect(await reused.where('target_id', '=', user.id).execute()).toHaveLength(9 * winners.length)
  })

  test('P-09 a refresh token that is used ten times at once is good once, and its family ends', async () => {
    const { refresh_token } = await client.tokensFor(await service.createSignedIn())

    const winners = winnersOf(await ten((with_) => with_.refresh(refresh_token)))

    expect(winners.length).toBe(1)
    for (const tokens of winners) expect(await useOf(service, client, tokens)).toEqual(over)
  })

  test.each([
    ['a ban', (id: string) => api(`${id}/ban`, 'POST', {})],
    ['the end of the grant', (id: string) => api(`${id}/grants/${client.id}`, 'DELETE')],
  ])('P-21 nothing is refreshed past %s', async (_, end) => {
    const user = await service.createSignedIn()
    const families = await Promise.all(Array.from({ length: 4 }, () => client.tokensFor(user)))

    const [ended, ...replies] = await Promise.all([
      end(user.id),
      ...families.map(({ refresh_token }, n) => (clients[n % 2] ?? client).refresh(refresh_token)),
    ])

    expect(ended.ok).toBe(true)
    for (const tokens of [...families, ...winnersOf(replies)]) {
      expect(await useOf(service, client, tokens)).toEqual(over)
    }
  })

  test('P-22 refresh tokens are used and given back at once', async () => {
    const user = await service.createSignedIn()
    const families = await Promise.all(Array.from({ length: 4 }, () => client.tokensFor(user)))

    const replies = await Promise.all(
      families.flatMap(({ refresh_token }) =>
        clients.map((one, n) => (n === 0 ? one.revoke(refresh_token) : one.refresh(refresh_token))),
      ),
    )

    expect(replies.filter(({ status }) => status >= 500)).toEqual([])
    for (const tokens of families) expect(await useOf(service, client, tokens)).toEqual(over)
  })
})

/**
 * Uses a refresh token, and each that it brings, again and again, until it is refused; the first time must work.
 * @returns a function that ends it and gives the last
 */
async function keepRefreshing(with_: typeof client, first: Tokens) {
  let tokens = tokensIn(await with_.refresh(first.refresh_token))
  let isOn = true
  const running = (async () => {
    while (isOn) {
      const reply = await with_.refresh(tokens.refresh_token)
      if (reply.status !== 200) return
      tokens = tokensIn(reply)
    }
  })()
  return async () => {
    isOn = false
    await running
    return tokens
  }
}

test.each<[string, (user: SignedIn) => Promise<Response>]>([
  [
    'another',
    (user) =>
      service.request('/api/auth/change-password', {
        cookie: user.cookie,
        json: { currentPassword: password, newPassword },
      }),
  ],
  [
    'a reset',
    async ({ email }) => {
      const headers = { origin: service.baseUrl }
      await service.request('/api/auth/request-password-reset', { headers, json: { email } })
      const token = mailedToken(service, email)
      return service.request('/api/auth/reset-password', { headers, json: { token, newPassword } })
    },
  ],
])('P-21 nothing is refreshed past %s password', async (_, setPassword) => {
  for (let round = 0; round < 8; round++) {
    const user = await createMember()
    const former = await service.signIn(user)
    const first = await client.tokensFor(former)
    // A refresh token of a session that is over: no end of that one stops it.
    await auth(former, '/sign-out')
    const stop = await keepRefreshing(client, first)

    expect((await setPassword(user)).status).toBe(200)

    expect(await useOf(service, client, await stop())).toEqual(over)
  }
})

test('P-21 nobody keeps their ban waiting by refreshing', async () => {
  const user = await service.createSignedIn()
  const families = await Promise.all(Array.from({ length: 6 }, () => client.tokensFor(user)))
  const stops = await Promise.all(families.map((tokens, n) => keepRefreshing(clients[n % 2] ?? client, tokens)))

  const { status } = await api(`${user.id}/ban`, 'POST', {})

  const last = await Promise.all(stops.map((stop) => stop()))
  expect(status).toBe(200)
  for (const tokens of last) expect(await useOf(service, client, tokens)).toEqual(over)
})

test('P-21 nobody keeps their ban waiting by redeeming codes', async () => {
  const user = await service.createSignedIn()
  let [redeemed, isOn] = [0, true]
  const running = Array.from({ length: 12 }, async (_, n) => {
    const with_ = clients[n % 2] ?? client
    while (isOn) {
      const code = await with_.codeFor(createVisitor(service, user.cookie)).catch(() => undefined)
      if (!code) return
      await with_.redeem(code)
      redeemed += 1
    }
  })
  await vi.waitUntil(() => redeemed > running.length, { timeout: 20_000 })

  const { status } = await api(`${user.id}/ban`, 'POST', {})

  isOn = false
  await Promise.all(running)
  expect(status).toBe(200)
})

test.each([
  ['disabled', 200, { method: 'PATCH', json: { disabled: true } }],
  ['deleted', 204, { method: 'DELETE' }],
])('a client at work is %s', async (_, expected, request) => {
  const registered = await registerClient(service)
  const busy = [service, second ?? service].map((one) => createBareClient(one, registered))
  const stops = []
  for (let n = 0; n < 6; n++) {
    const with_ = busy[n % 2] ?? client
    stops.push(await keepRefreshing(with_, await with_.tokensFor(await service.createSignedIn())))
  }

  const { status } = await service.request(`/api/v1/clients/${registered.id}`, { token: admin.token, ...request })
  await Promise.all(stops.map((stop) => stop()))

  expect(status).toBe(expected)
  const tokens = service.db.selectFrom('oauth_refresh_token').select('id').where('client_id', '=', registered.id)
  expect(await tokens.execute()).toEqual([])
})

test('nothing of it was an error of the service', () => {
  const lines = [...service.logLines(), ...(second?.logLines() ?? [])]
  expect(lines.filter((line) => /"level":(50|60)|"status":5/.test(line))).toEqual([])
})
