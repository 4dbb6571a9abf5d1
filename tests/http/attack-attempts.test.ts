import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAddressLimit } from '../../src/http/address-limit.ts'
import { from, newAddress, proxied } from '../support/addresses.ts'
import { createDoors } from '../support/doors.ts'
import { password, type RequestOptions, startService, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'

const service = await startServiceForFile({ env: { ...proxied, RATE_LIMIT: '6000' } })
const few = await startServiceForFile({ env: { ...proxied, RATE_LIMIT: '20' } })
const { createMember } = await createDoors(service)

const wrong = { json: { email: 'nobody@example.com', password: 'a wrong password' } }
// Counted as any other attempt, and nothing is hashed for it.
const malformed = { json: {} }
const signIn = (address: string, options: RequestOptions = wrong) =>
  from(service, address, '/api/auth/sign-in/email', options)

const isSeconds = (most: number) => expect.toSatisfy((text) => /^[1-9]\d*$/.test(text) && Number(text) <= most)

describe('B-05 who tries passwords', () => {
  test('is refused after three, told for how long, and let in afterwards', async () => {
    const [address, ada] = [newAddress(), await createMember()]
    const right = { json: { email: ada.email, password } }
    const answers = []
    for (let i = 0; i < 10; i++) answers.push(await signIn(address))

    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 429, 429, 429, 429, 429, 429, 429])
    const refused = answers.at(-1)
    expect(refused?.headers.get('retry-after')).toEqual(isSeconds(10))
    expect(refused?.headers.get('ratelimit')).toMatch(/^"\/sign-in\/email";r=0;t=([1-9]|10)$/)
    expect(refused?.headers.get('ratelimit-policy')).toBe('"/sign-in/email";q=3;w=10')
    expect(await refused?.json()).toMatchObject({ code: 'RATE_LIMITED' })
    expect((await signIn(address, right)).status).toBe(429)
    // Nobody else is kept from signing in.
    expect((await signIn(newAddress(), right)).status).toBe(200)

    await service.db.updateTable('rate_limit').set({ last_request: Date.now() }).execute()
    expect((await signIn(address, right)).status).toBe(200)
  })

  test('is not refused for what a picture on another page asks for', async () => {
    const address = newAddress()
    for (let i = 0; i < 5; i++) {
      const picture = { headers: { 'sec-fetch-dest': 'image', 'sec-fetch-site': 'cross-site' } }
      expect((await signIn(address, picture)).status).toBe(404)
    }
    expect((await signIn(address)).status).toBe(401)
  })

  test('with ten at once has three tries all the same', async () => {
    const address = newAddress()
    const answers = await Promise.all(Array.from({ length: 10 }, () => signIn(address, malformed)))
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7)
  })

  test.each([
    ['/sign-up/email', 3],
    ['/sign-in/social', 3],
    ['/change-password', 3],
    ['/change-email', 3],
    ['/delete-user', 3],
    ['/request-password-reset', 3],
    ['/send-verification-email', 3],
    ['/reset-password', 10],
    ['/reset-password/check', 10],
    ['/verify-email', 10],
    ['/change-email/confirm', 10],
  ])('%s is stricter than the rest, too: %i', async (path, most) => {
    const address = newAddress()
    const statuses = []
    for (let i = 0; i <= most; i++) statuses.push((await from(service, address, `/api/auth${path}`, malformed)).status)
    expect(statuses.indexOf(429)).toBe(most)
    expect((await from(service, address, '/api/auth/get-session')).status).toBe(200)
  })

  test('made-up paths are counted together, and are no rows', async () => {
    const address = newAddress()
    const statuses = []
    for (const path of ['a', 'b', 'sign-in/c', 'admin/d']) {
      statuses.push((await from(few, address, `/api/auth/${path}`, malformed)).status)
    }
    // A tenth of 20.
    expect(statuses).toEqual([404, 404, 429, 429])
    expect(await few.db.selectFrom('rate_limit').select('key').where('key', 'like', `${address}|%`).execute()).toEqual(
      [],
    )
  })
})

describe('B-12 the limits', () => {
  test('let nobody try what cannot be counted, and keep no reader waiting', async () => {
    const own = await startService({ env: { ...proxied, RATE_LIMIT: '6000' } })
    onTestFinished(own.stop)
    const ada = await (await createDoors(own)).createMember()
    const right = { json: { email: ada.email, password } }
    const ask = (path: string, options: RequestOptions = right) => from(own, newAddress(), `/api/auth${path}`, options)
    const form = { method: 'POST', body: 'grant_type=refresh_token&refresh_token=x&client_id=x' }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    await sql`alter table rate_limit rename to hidden_limit`.execute(own.db)
    await sql`alter table request_count rename to hidden_count`.execute(own.db)

    for (const path of ['/sign-in/email', '/sign-up/email', '/request-password-reset', '/reset-password']) {
      const refused = await ask(path)
      expect([path, refused.status, refused.headers.get('retry-after')]).toEqual([path, 503, '1'])
      expect(await refused.json()).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
    }
    const token = await ask('/oauth2/token', { ...form, headers })
    expect([token.status, await token.json()]).toMatchObject([503, { error: 'temporarily_unavailable' }])
    for (const credential of [{ token: ada.token }, { cookie: ada.cookie }])
      expect((await own.request('/api/v1/auth/me', credential)).status).toBe(200)
    expect((await own.request('/sign-in')).status).toBe(200)

    await sql`alter table hidden_limit rename to rate_limit`.execute(own.db)
    await sql`alter table hidden_count rename to request_count`.execute(own.db)
    expect((await ask('/sign-in/email')).status).toBe(200)
  })

  test('hold a bounded number of a million addresses in memory, and tell of no more at a time', async () => {
    setFlagsFromString('--expose_gc')
    const collect = runInNewContext('gc') as () => void
    const used = () => {
      collect()
      return process.memoryUsage().heapUsed
    }
    let told = 0
    const exchange = async (counts: readonly { key: string; requests: number; endsInMs: number }[]) => {
      told += counts.length
      return counts
    }
    const limit = createAddressLimit({ name: 'million', perMinute: 1, exchange })
    const at = (i: number) => `${i >> 24}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
    const take = (begin: number, end: number) => {
      let allowed = 0
      for (let i = begin; i < end; i++) if (limit.take(at(i)).isAllowed) allowed++
      return allowed
    }
    expect(take(0, 50_000)).toBe(50_000)
    const full = used()
    expect(take(50_000, 1_000_000)).toBe(950_000)
    // Another 19 times as many would be a multiple of it.
    expect(used() - full).toBeLessThan(10_000_000)
    // Whoever has come last is held to the limit all the same.
    expect(take(999_000, 1_000_000)).toBe(0)
    await limit.share()
    expect(told).toBe(10_000)
  })
})

describe('B-16 who guesses the token of a mailed link', () => {
  const ways: [string, (token: string) => [path: string, options?: RequestOptions]][] = [
    ['setting the password', (token) => ['/reset-password', { json: { token, newPassword: 'of an attacker' } }]],
    ['looking whether it is good', (token) => ['/reset-password/check', { json: { token } }]],
    ['the link of Better-Auth, which has it in its path', (token) => [`/reset-password/${token}?callbackURL=/sign-in`]],
    ['confirming an address', (token) => ['/verify-email', { json: { token } }]],
    ['confirming another', (token) => ['/change-email/confirm', { json: { token, newEmail: 'eve@example.com' } }]],
  ]

  test.each(ways)('has ten tries a minute, each with another token: %s', async (_, guess) => {
    const address = newAddress()
    const statuses = []
    for (let i = 0; i < 14; i++) {
      const [path, options] = guess(String(i).padStart(24, 'x'))
      statuses.push((await from(service, address, `/api/auth${path}`, options)).status)
    }
    expect(statuses.slice(0, 10)).not.toContain(429)
    expect(statuses.slice(10)).toEqual([429, 429, 429, 429])
  })

  test('has 24 random characters to guess, while who has the link gets on', async () => {
    const ada = await createMember()
    const tokens = []
    for (let i = 0; i < 3; i++) {
      await from(service, newAddress(), '/api/auth/request-password-reset', { json: { email: ada.email } })
      tokens.push(mailedToken(service, ada.email))
    }
    expect(new Set(tokens).size).toBe(3)
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{24}$/)
    const json = { token: tokens.at(-1), newPassword: 'a second password' }
    expect((await from(service, newAddress(), '/api/auth/reset-password', { json })).status).toBe(200)
  })
})
