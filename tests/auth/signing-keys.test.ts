import { randomBytes, randomUUID } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import { keyMint } from '../../src/auth/keys/mint-key.ts'
import type { JwtAlgorithm } from '../../src/auth/keys/signature.ts'
import { createSigningKeys } from '../../src/auth/keys/signing-keys.ts'
import { createTestDatabase, type SignedIn, secret, startService, type TestService } from '../support/harness.ts'

const hourMs = 3_600_000
const algorithms: JwtAlgorithm[] = ['RS256', 'ES256', 'EdDSA']

async function start(options: Parameters<typeof startService>[0] = {}): Promise<TestService> {
  const service = await startService(options)
  onTestFinished(() => service.stop())
  return service
}

async function jwks({ request }: TestService): Promise<JSONWebKeySet> {
  return (await (await request('/api/auth/jwks')).json()) as JSONWebKeySet
}

async function kids(service: TestService): Promise<(string | undefined)[]> {
  return (await jwks(service)).keys.map(({ kid }) => kid)
}

function kidOf({ token }: { token: string }): string {
  return decodeProtectedHeader(token).kid ?? ''
}

async function whois({ request }: TestService, { token }: SignedIn): Promise<unknown> {
  const body = (await (await request('/api/v1/auth/me', { token })).json()) as Record<string, unknown>
  return body['id'] ?? body['type']
}

/** Moves all keys back in time, as if so many hours had passed. */
async function age({ db, services }: TestService, hours: number): Promise<void> {
  const interval = sql`${hours} * interval '1 hour'`
  await sql`update jwks set active_at = active_at - ${interval}, expires_at = expires_at - ${interval},
    created_at = created_at - ${interval}`.execute(db)
  services.keyRows.forget()
}

/** The same, and does the upkeep that is due by then. */
async function pass(service: TestService, hours: number): Promise<void> {
  await age(service, hours)
  const { services } = service
  await services.keys.maintain(keyMint(services.config.jwt.algorithm, secret))
}

test.each(algorithms)('with %s a token verifies by the published keys and opens the API', async (algorithm) => {
  const service = await start({ env: { JWT_ALGORITHM: algorithm } })
  const ada = await service.createSignedIn()

  const verified = await jwtVerify(ada.token, createLocalJWKSet(await jwks(service)), {
    issuer: `${service.baseUrl}/api/auth`,
    audience: `${service.baseUrl}/api/v1`,
  })

  expect(verified.protectedHeader).toEqual({ alg: algorithm, kid: (await kids(service))[0] })
  expect(verified.payload).toMatchObject({ sub: ada.id, sid: ada.sessionId })
  expect(await whois(service, ada)).toBe(ada.id)
})

test('R-25 a service does not start with another secret than the one its key was made with', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const first = await startService({ database })
  await first.stop()

  const env = { BETTER_AUTH_SECRET: randomBytes(32).toString('base64url') }
  await expect(startService({ database, env })).rejects.toThrow('BETTER_AUTH_SECRET: is not the one')

  const again = await startService({ database })
  await again.stop()
})

test('a service whose keys were all removed makes a new one with the next token', async () => {
  const service = await start()
  const ada = await service.createSignedIn()
  await service.db.deleteFrom('jwks').execute()
  service.services.keyRows.forget()

  const again = await service.signIn(ada)

  expect(await kids(service)).toEqual([kidOf(again)])
  expect(kidOf(again)).not.toBe(kidOf(ada))
})

test('the next key is published a day before it signs, and the old one verifies for an hour after', async () => {
  const service = await start()
  const ada = await service.createSignedIn()
  const first = kidOf(ada)

  await pass(service, 90 * 24 - 25)
  expect(await kids(service)).toEqual([first])

  await pass(service, 2)
  const published = await kids(service)
  const [, next] = published
  expect(published).toEqual([first, expect.any(String)])
  expect(kidOf(await service.signIn(ada))).toBe(first)

  await pass(service, 23.5)
  const renewed = await service.signIn(ada)
  expect(kidOf(renewed)).toBe(next)
  expect(await kids(service)).toEqual([first, next])
  await expect.poll(() => whois(service, renewed), { timeout: 6_000 }).toBe(ada.id)
  expect(await whois(service, ada)).toBe(ada.id)

  await pass(service, 1)
  expect(await kids(service)).toEqual([next])
  expect(await service.db.selectFrom('jwks').select('id').execute()).toEqual([{ id: next }])
  await expect.poll(() => whois(service, ada), { timeout: 6_000 }).toBe('/problems/invalid-token')
  expect(await whois(service, renewed)).toBe(ada.id)
})

test('a service that was down while its key ended makes another and signs with it at once', async () => {
  const service = await start()
  const first = kidOf(await service.createSignedIn())

  await pass(service, 91 * 24)

  const ada = await service.createSignedIn()
  expect(kidOf(ada)).not.toBe(first)
  await expect.poll(() => whois(service, ada), { timeout: 6_000 }).toBe(ada.id)
})

test('a key whose row is deleted stops verifying at once', async () => {
  const service = await start()
  const ada = await service.createSignedIn()
  expect(await whois(service, ada)).toBe(ada.id)

  await service.db.deleteFrom('jwks').execute()
  expect(await whois(service, ada)).toBe('/problems/invalid-token')
  expect(await kids(service)).toEqual([])
})

test('after a change of JWT_ALGORITHM the old key signs on until the new one was published', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const before = await startService({ database })
  const ada = await before.createSignedIn()
  // The newest, with which nothing could be checked.
  await sql`insert into jwks (id, public_key, private_key, alg, created_at, active_at, expires_at)
    select 'broken', '{}', private_key, alg, created_at, active_at + interval '1 millisecond', expires_at
    from jwks`.execute(before.db)
  await before.stop()

  // The address is part of every token, and so of what is accepted.
  const after = await start({ database, env: { JWT_ALGORITHM: 'ES256', BETTER_AUTH_URL: before.baseUrl } })
  expect((await jwks(after)).keys.map(({ alg }) => alg)).toEqual(['RS256', 'ES256'])
  expect(kidOf(await after.signIn(ada))).toBe(kidOf(ada))

  await pass(after, 61 / 3_600)
  const renewed = await after.signIn(ada)
  expect(decodeProtectedHeader(renewed.token).alg).toBe('ES256')
  expect([await whois(after, renewed), await whois(after, ada)]).toEqual([ada.id, ada.id])
})

test('a key that came back with its algorithm after its end does not sign before it is known', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const first = await startService({ database })
  const ada = await first.createSignedIn()
  await first.stop()
  const other = await startService({ database, env: { JWT_ALGORITHM: 'ES256', BETTER_AUTH_URL: first.baseUrl } })
  await pass(other, 1)
  const between = await other.signIn(ada)
  await sql`update jwks set expires_at = now() where alg = 'RS256'`.execute(other.db)
  await other.stop()

  const again = await start({ database, env: { BETTER_AUTH_URL: first.baseUrl } })

  expect((await jwks(again)).keys.map(({ alg }) => alg)).toEqual(['RS256', 'ES256', 'RS256'])
  expect(kidOf(await again.signIn(ada))).toBe(kidOf(between))
  await age(again, 2 / 60)
  expect(kidOf(await again.signIn(ada))).not.toBe(kidOf(between))
})

test('a key that has ended signs no more where no upkeep has made another: the token makes one', async () => {
  const service = await start()
  const ada = await service.createSignedIn()
  await age(service, 90 * 24 + 0.5)

  const again = await service.signIn(ada)

  expect(kidOf(again)).not.toBe(kidOf(ada))
  await expect.poll(() => whois(service, again), { timeout: 6_000 }).toBe(ada.id)
  expect(await whois(service, ada)).toBe(ada.id)
})

test('where the key that signs is removed, the next one begins early', async () => {
  const service = await start()
  const ada = await service.createSignedIn()
  await pass(service, 90 * 24 - 23)
  const [first, next] = await kids(service)
  await service.db
    .deleteFrom('jwks')
    .where('id', '=', first ?? '')
    .execute()
  service.services.keyRows.forget()

  expect(kidOf(await service.signIn(ada))).toBe(next)
  expect(await kids(service)).toEqual([next])
})

test('R-23 many that find the table of keys empty at once make one key', async () => {
  const { db } = await start()
  await db.deleteFrom('jwks').execute()
  const policy = {
    algorithm: 'ES256',
    rotationMs: 90 * 24 * hourMs,
    publishAheadMs: 24 * hourMs,
    graceMs: hourMs,
  } as const
  const mint = keyMint('ES256', randomUUID())

  await Promise.all(
    Array.from({ length: 8 }, () =>
      createSigningKeys(
        db,
        createKeyRows(db, () => true),
        policy,
      ).maintain(mint),
    ),
  )

  expect(await db.selectFrom('jwks').select('id').execute()).toHaveLength(1)
})
