import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { from, newAddress, proxied } from '../support/addresses.ts'
import { type RequestOptions, startService, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { problemOf } from '../support/wire.ts'

const queriesOf = watchQueries()
const few = await startServiceForFile({ env: { ...proxied, RATE_LIMIT: '20' } })

// Counted as any other attempt, and nothing is hashed for it.
const malformed = { json: {} }
const signIn = (address: string) => from(few, address, '/api/auth/sign-in/email', malformed)

const isSeconds = (most: number) => expect.toSatisfy((text) => /^[1-9]\d*$/.test(text) && Number(text) <= most)

describe('B-01 who is at no proxy of ours and claims another address', () => {
  const claims = (i: number): Record<string, string>[] => [
    { 'x-forwarded-for': `203.0.113.${i}` },
    { 'x-forwarded-for': `203.0.113.${i}, 203.0.113.${i + 1}` },
    { 'x-real-ip': `203.0.113.${i}` },
    { forwarded: `for=203.0.113.${i}` },
    { 'cf-connecting-ip': `203.0.113.${i}` },
    { 'true-client-ip': `203.0.113.${i}` },
    { 'x-client-ip': `203.0.113.${i}` },
    { 'x-cluster-client-ip': `203.0.113.${i}`, 'fastly-client-ip': `203.0.113.${i}` },
  ]

  test('is counted by the address of the socket', async () => {
    const direct = await startService({ env: { RATE_LIMIT: '20' } })
    onTestFinished(direct.stop)
    const ask = async (path: string, headers: Record<string, string>, options: RequestOptions = {}) =>
      (await direct.request(path, { ...options, headers: { origin: direct.baseUrl, ...headers } })).status

    const attempts = []
    for (const headers of claims(1)) attempts.push(await ask('/api/auth/sign-in/email', headers, malformed))
    expect(attempts).toEqual([400, 400, 400, 429, 429, 429, 429, 429])

    const all = []
    for (const headers of [...claims(2), ...claims(3)]) all.push(await ask('/api/v1/auth/me', headers))
    expect(all).toEqual([...Array.from({ length: 12 }, () => 401), ...Array.from({ length: 4 }, () => 429)])
  })

  test('is counted by the hop before our proxy, where there is one', async () => {
    const address = newAddress()
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await signIn(`203.0.113.${i}, ${address}`)).status)
    expect(statuses).toEqual([400, 400, 400, 429])
    expect((await signIn(`${address}, ${newAddress()}`)).status).toBe(400)
  })
})

describe('B-03, B-04 the limit of all requests', () => {
  const paths: [path: string, status: number, options?: RequestOptions][] = [
    ['/api/v1/auth/me', 401],
    ['/api/v1/nothing', 404],
    ['/api/v1/openapi.json', 200],
    ['/api/v1/docs', 200],
    ['/api/auth/get-session', 200],
    ['/api/auth/jwks', 200],
    ['/api/auth/.well-known/openid-configuration', 200],
    ['/.well-known/oauth-authorization-server/api/auth', 200],
    ['/sign-in', 200],
    ['/assets/pages.css', 200],
    ['/problems/internal', 200],
    ['/', 303],
    ['/nothing', 404],
  ]

  test('counts everything that is answered, and refuses it, but for /health', async () => {
    const address = newAddress()
    for (const [path, status] of paths) expect([path, (await from(few, address, path)).status]).toEqual([path, status])
    for (let i = paths.length; i < 20; i++) await from(few, address, '/')

    for (const [path] of paths) expect([path, (await from(few, address, path)).status]).toEqual([path, 429])
    for (const path of ['/health', '/health/db', '/health/ready'])
      expect([path, (await from(few, address, path)).status]).toEqual([path, 200])
    for (const [path, status] of paths.slice(0, 3))
      expect([path, (await from(few, newAddress(), path)).status]).toEqual([path, status])
  })

  test('counts preflights, whoever asks, and the request that follows one once', async () => {
    const address = newAddress()
    const preflight = (origin: string, path = '/api/v1/auth/me') =>
      from(few, address, path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } })
    const origins = ['https://evil.example', 'https://app.example.com']
    for (const origin of origins) expect((await preflight(origin)).status).toBe(204)
    expect((await preflight('https://evil.example', '/api/auth/jwks')).status).toBe(204)
    for (let i = 3; i < 20; i++) {
      const { status } = await from(few, address, '/api/v1/auth/me', { headers: { origin: 'https://evil.example' } })
      expect([i, status]).toEqual([i, 401])
    }

    for (const origin of origins) expect([origin, (await preflight(origin)).status]).toEqual([origin, 429])
  })

  test('says when to come back, as a problem or on a page', async () => {
    const address = newAddress()
    for (let i = 0; i < 20; i++) expect((await from(few, address, '/api/v1/auth/me')).status).toBe(401)

    const refused = await from(few, address, '/api/v1/auth/me')
    expect(refused.headers.get('retry-after')).toEqual(isSeconds(60))
    expect(await problemOf(refused)).toEqual({ status: 429, slug: 'rate-limited', at: [] })
    const page = await from(few, address, '/sign-in', { headers: { accept: 'text/html' } })
    expect([page.status, page.headers.get('content-type')]).toEqual([429, 'text/html; charset=UTF-8'])
    expect(page.headers.get('retry-after')).toEqual(isSeconds(60))
  })

  test('is one for the /64 of an IPv6 address, however it is written', async () => {
    const me = async (address: string) => (await from(few, address, '/api/v1/auth/me')).status
    for (let i = 0; i < 20; i++) expect(await me(`2001:db8:0:1::${i}`)).toBe(401)
    for (const alias of ['2001:db8:0:1:ffff::1', '2001:0DB8:0000:0001::1', '2001:db8::1:0:0:0:1'])
      expect([alias, await me(alias)]).toEqual([alias, 429])
    expect(await me('2001:db8:0:2::1')).toBe(401)
  })

  test('is four of these for the /48 of an IPv6 address', async () => {
    const me = (block: string) => from(few, `2001:db8:${block}::1`, '/api/v1/auth/me')
    // Who is refused already uses nothing up of what the neighbours may.
    for (let i = 0; i < 60; i++) expect((await me('48:0')).status).toBe(i < 20 ? 401 : 429)
    for (let block = 1; block < 4; block++)
      for (let i = 0; i < 20; i++) expect([block, (await me(`48:${block}`)).status]).toEqual([block, 401])

    for (const block of ['48:4', '48:5', '48:ffff']) {
      const refused = await me(block)
      expect([block, refused.status]).toEqual([block, 429])
      expect(refused.headers.get('ratelimit-policy')).toBe('"all-48";q=80;w=60')
    }
    expect((await me('49:0')).status).toBe(401)
    expect((await from(few, newAddress(), '/api/v1/auth/me')).status).toBe(401)
  })

  test('of sign-ins is the same: by the /64, and four of them by the /48', async () => {
    const statuses = async (block: string, times: number) => {
      const answers = []
      for (let i = 0; i < times; i++) answers.push((await signIn(`2001:db8:${block}::${i}`)).status)
      return answers
    }
    for (let block = 0; block < 4; block++)
      expect([block, await statuses(`4:${block}`, 4)]).toEqual([block, [400, 400, 400, 429]])
    expect(await statuses('4:4', 1)).toEqual([429])
    expect(await statuses('5:0', 1)).toEqual([400])
  })

  test('is not used up twice by a page that asks the APIs', async () => {
    const address = newAddress()
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const options = { method: 'POST', body: 'email=nobody%40example.com&password=wrong', headers: form }
    expect((await from(few, address, '/sign-in', options)).status).toBe(200)
    for (let i = 1; i < 20; i++) expect((await from(few, address, '/api/v1/auth/me')).status).toBe(401)
    expect((await from(few, address, '/api/v1/auth/me')).status).toBe(429)
  })
})

describe('B-05 RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10)', () => {
  test('are there when less than a tenth is left, and on the refusal', async () => {
    const address = newAddress()
    const seen = []
    for (let i = 0; i < 21; i++) {
      const { status, headers } = await from(few, address, '/api/v1/auth/me')
      const [field, policy] = [headers.get('ratelimit'), headers.get('ratelimit-policy')]
      seen.push([status, field?.replace(/;t=([1-9]|[1-5]\d|60)$/, ''), policy])
    }
    expect(seen.slice(0, 18)).toEqual(Array.from({ length: 18 }, () => [401, undefined, null]))
    expect(seen.slice(18)).toEqual([
      [401, '"all";r=1', '"all";q=20;w=60'],
      [401, '"all";r=0', '"all";q=20;w=60'],
      [429, '"all";r=0', '"all";q=20;w=60'],
    ])
  })

  test('can be read by the front ends that may', async () => {
    const { headers } = await from(few, newAddress(), '/api/v1/auth/me', {
      headers: { 'sec-fetch-site': 'cross-site' },
    })
    const exposed = headers.get('access-control-expose-headers')?.split(',')
    expect(exposed).toEqual(expect.arrayContaining(['ratelimit', 'ratelimit-policy', 'retry-after']))
  })
})

test('B-04 however many ask at once whether the database is there, it is asked once', async () => {
  const statuses: number[] = []
  const queries = await queriesOf(async () => {
    await few.db.transaction().execute(async (trx) => {
      await sql`lock table schema_migration in access exclusive mode`.execute(trx)
      const asked = Array.from({ length: 30 }, () => from(few, newAddress(), '/health/db'))
      // All of them are there long before.
      await setTimeout(300)
      void Promise.all(asked).then((replies) => statuses.push(...replies.map(({ status }) => status)))
    })
    await expect.poll(() => statuses).toEqual(Array.from({ length: 30 }, () => 200))
  })
  expect(queries.filter((text) => /from "?schema_migration/.test(text))).toHaveLength(1)
})
