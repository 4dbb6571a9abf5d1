import { randomBytes, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { symmetricDecrypt } from 'better-auth/crypto'
import type { KyselyPlugin } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createAccessTokenVerifier } from '../../src/auth/access-token.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import type { JwtAlgorithm } from '../../src/auth/keys/signature.ts'
import type { Db } from '../../src/db/database.ts'
import { secret, startServiceForFile } from '../support/harness.ts'
import { watchQueries } from '../support/query-count.ts'
import { accepted, createTokenProbe, refused } from '../support/token-probe.ts'
import { jws, sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const queriesOf = watchQueries()

describe('J-18 tokens that each name another key', async () => {
  const service = await startServiceForFile()
  // Until then the database is asked each time.
  await vi.waitUntil(() => service.services.authority.gauges().heartbeatAge < 2_000)
  const user = await service.createSignedIn()
  const key = await signingKeyOf(service)
  const { everywhere } = createTokenProbe(service, await service.createSignedIn())
  const claims = sessionClaims(service, user)
  const signature = randomBytes(256)
  const unknown = () => jws({ alg: 'RS256', kid: randomUUID() }, claims, () => signature)

  /** Sends so many tokens of unknown keys, one after the other on each of ten connections. Returns the statuses. */
  async function storm(count: number): Promise<string[]> {
    const statuses = await Promise.all(Array.from({ length: 10 }, () => sendOnOne(count / 10)))
    return statuses.flat()
  }

  async function sendOnOne(count: number): Promise<string[]> {
    const { hostname, port, host } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    for (let sent = 1; sent <= count; sent++) {
      const head = ['GET /api/v1/auth/me HTTP/1.1', `Host: ${host}`, `Authorization: Bearer ${unknown()}`]
      if (sent === count) head.push('Connection: close')
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
    }
    const answers = await text(socket)
    return [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status)
  }

  test('are refused with hardly a look into the database, 10,000 of them', async () => {
    expect(await everywhere(signed(key, claims))).toEqual(accepted(user))
    let statuses: string[] = []

    const queries = await queriesOf(async () => {
      statuses = await storm(10_000)
    })

    expect([statuses.length, ...new Set(statuses)]).toEqual([10_000, '401'])
    // None where changes are heard of all the time, and four a second at most while the load drowns them.
    expect(queries.filter((query) => query.includes('jwks')).length).toBeLessThan(100)
    expect(await everywhere(signed(key, claims))).toEqual(accepted(user))
    expect(await everywhere(signed(key, claims, { kid: randomUUID() }))).toEqual(refused())
  })

  test('are refused with four looks a second where changes are not heard of', async () => {
    const { db, count } = counted(service.db)
    const isHeard = false
    const rows = createKeyRows(db, () => isHeard)
    const [issuer, audience] = [`${service.baseUrl}/api/auth`, `${service.baseUrl}/api/v1`]
    const verify = createAccessTokenVerifier(rows, { issuer, audience, graceMs: 3_600_000, shared: undefined })
    let clock = 1_000
    vi.spyOn(performance, 'now').mockImplementation(() => clock)
    onTestFinished(() => void vi.restoreAllMocks())
    const storm = () => Promise.allSettled(Array.from({ length: 200 }, async () => verify(unknown())))

    expect(new Set((await storm()).map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(count()).toBe(1)

    clock += 249
    await storm()
    expect(count()).toBe(1)

    clock += 1
    await storm()
    expect(count()).toBe(2)
    expect(await verify(user.token)).toMatchObject({ claims: { sub: user.id } })
    expect(count()).toBe(2)
  })
})

/** A database, counting what is asked of it. */
function counted(db: Db): { db: Db; count: () => number } {
  let queries = 0
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      queries++
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { db: db.withPlugin(plugin), count: () => queries }
}

describe.each<JwtAlgorithm>(['RS256', 'ES256', 'EdDSA'])('J-42 the published keys, for %s,', async (algorithm) => {
  const service = await startServiceForFile({ env: { JWT_ALGORITHM: algorithm } })
  const answer = () => service.request('/api/auth/jwks')

  test('have no private half, which is stored encrypted', async () => {
    const rows = await service.db.selectFrom('jwks').selectAll().execute()
    const [row] = rows

    const stored = JSON.parse(row?.private_key ?? '') as unknown
    const privateJwk = JSON.parse(await symmetricDecrypt({ key: secret, data: String(stored) })) as Record<
      string,
      string
    >
    const published = await (await answer()).text()
    const { keys } = JSON.parse(published) as { keys: Record<string, unknown>[] }

    expect([rows.length, keys.length]).toEqual([1, 1])
    expect(stored).toBeTypeOf('string')
    expect(privateJwk['d']).toMatch(/^[\w-]{40,}$/)
    expect(JSON.stringify(row)).not.toContain(privateJwk['d'])
    expect(published).not.toContain(privateJwk['d'])
    const members = { RS256: ['e', 'n'], ES256: ['crv', 'x', 'y'], EdDSA: ['crv', 'x'] }[algorithm]
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'kid', 'kty', 'use', ...members].sort())
    expect(keys[0]).toMatchObject({ kid: row?.id, alg: algorithm, use: 'sig' })
  })

  test('may be kept by everybody, for no longer than five minutes', async () => {
    const cacheControl = (await answer()).headers.get('cache-control') ?? ''
    expect(cacheControl).toMatch(/^public,/)
    const maxAge = Number(/max-age=(\d+)/.exec(cacheControl)?.[1])
    expect(maxAge).toBeGreaterThan(0)
    expect(maxAge).toBeLessThanOrEqual(300)
  })
})
