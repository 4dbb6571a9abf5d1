import { randomUUID } from 'node:crypto'
import type { KyselyPlugin } from 'kysely'
import { afterEach, expect, test, vi } from 'vitest'
import { createAccessTokenVerifier } from '../../src/auth/access-token.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import type { Db } from '../../src/db/database.ts'
import { startServiceForFile } from '../support/harness.ts'
import { attackerKey, nowSeconds, rs256, type SigningKey, sessionClaims, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile()
const key = await signingKeyOf(service)
const hourMs = 3_600_000

afterEach(() => vi.restoreAllMocks())

/** Whether the service holds a token, sent in a body that leaves it as it is, to be good. */
async function isActive(token: string): Promise<unknown> {
  const caller = await service.createSignedIn()
  const response = await service.request('/api/v1/auth/verify', { token: caller.token, json: { token } })
  return ((await response.json()) as { active: unknown }).active
}

function verifierOn(db: Db, { graceMs = hourMs, isHeard = true } = {}) {
  const issuer = `${service.baseUrl}/api/auth`
  const options = { issuer, audience: `${service.baseUrl}/api/v1`, graceMs, shared: undefined }
  const verify = createAccessTokenVerifier(
    createKeyRows(db, () => isHeard),
    options,
  )
  return async (token: string) => verify(token)
}

/** The service's database, counting what is asked of it. */
function counted(): { db: Db; count: () => number } {
  let queries = 0
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      queries++
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { db: service.db.withPlugin(plugin), count: () => queries }
}

async function insertKey({ kid, publicKey }: SigningKey, values: { alg?: string | null; expires_at?: Date } = {}) {
  const public_key = JSON.stringify(publicKey.export({ format: 'jwk' }))
  const row = { id: kid, public_key, private_key: '', created_at: new Date(), alg: 'RS256', crv: null, ...values }
  await service.db.insertInto('jwks').values(row).execute()
}

test('a token is accepted in its canonical form', async () => {
  const { token } = await service.createSignedIn()
  expect(await isActive(token)).toBe(true)
})

test.each<[string, (token: string) => string]>([
  ['a line feed after it', (token) => `${token}\n`],
  ['a space before it', (token) => ` ${token}`],
  ['padding after it', (token) => `${token}=`],
  ['the alphabet of plain base64', (token) => token.replaceAll('-', '+').replaceAll('_', '/')],
  ['a line feed within it', (token) => token.replace('.', '.\n')],
  ['a fourth part', (token) => `${token}.`],
  ['an escaped dot', (token) => token.replace('.', '%2e')],
  ['an upper-case header', (token) => token.replace(/^[^.]+/, (header) => header.toUpperCase())],
])('a token with %s is another token', async (_name, alter) => {
  const { token } = await service.createSignedIn()

  expect(alter(token)).not.toBe(token)
  expect(await isActive(alter(token))).toBe(false)
})

test('a token of more than 8 KiB is refused, however good', async () => {
  const { token } = await service.createSignedIn()
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object
  const short = await service.signJwt({ ...claims, more: 'x'.repeat(5_000) })
  const long = await service.signJwt({ ...claims, more: 'x'.repeat(6_500) })

  expect(long.length).toBeGreaterThan(8_192)
  expect([await isActive(short), await isActive(long)]).toEqual([true, false])
})

test('a token whose last character differs only in spare bits is another token', async () => {
  const { token } = await service.createSignedIn()
  const [head, last] = [token.slice(0, -1), token.slice(-1)]
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // A signature of 256 bytes leaves four bits of its last character unused.
  const base = alphabet.indexOf(last) & 0b11_0000
  const twins = Array.from({ length: 16 }, (_, spare) => alphabet.charAt(base + spare)).filter((twin) => twin !== last)
  const decoded = (end: string) => Buffer.from((head + end).split('.')[2] ?? '', 'base64url').toString('hex')

  for (const twin of twins) {
    expect(decoded(twin)).toBe(decoded(last))
    expect(await isActive(head + twin)).toBe(false)
  }
})

test.each<[string, (json: string) => string]>([
  ['names a claim twice', (json) => json.replace('{', '{"sub":"somebody else",')],
  ['names a claim twice, once escaped', (json) => json.replace('{', String.raw`{"s\u0075b":"somebody else",`)],
  ['names a member within a claim twice', (json) => json.replace('{', '{"act":{"sub":"a","sub":"b"},')],
  ['begins with a byte order mark', (json) => `\uFEFF${json}`],
  ['is not an object', (json) => `[${json}]`],
])('an authentic token whose payload %s is refused', async (_name, alter) => {
  const user = await service.createSignedIn()
  const json = JSON.stringify(sessionClaims(service, user))

  expect(await isActive(rs256(key, json))).toBe(true)
  expect(await isActive(rs256(key, alter(json)))).toBe(false)
})

test('a session JWT that says admin has the permissions of the role in the database', async () => {
  const user = await service.createSignedIn()
  const token = rs256(key, sessionClaims(service, user, { role: 'admin', scope: 'users:read' }))

  const [me, users] = await Promise.all(
    ['auth/me', 'users'].map((path) => service.request(`/api/v1/${path}`, { token })),
  )

  expect([me?.status, users?.status]).toEqual([200, 403])
})

test('a session JWT that names the session of somebody else is refused', async () => {
  const [ada, eve] = [await service.createSignedIn(), await service.createSignedIn()]
  const token = rs256(key, sessionClaims(service, eve, { sid: ada.sessionId }))

  const response = await service.request('/api/v1/auth/me', { token })

  expect(await response.json()).toMatchObject({ status: 401, type: '/problems/session-ended' })
})

test('a token is good for five seconds past its end and not for more', async () => {
  const user = await service.createSignedIn()
  const endedAgo = (seconds: number) => {
    const exp = nowSeconds() - seconds
    return rs256(key, sessionClaims(service, user, { iat: exp - 60, exp }))
  }

  expect(await isActive(endedAgo(2))).toBe(true)
  expect(await isActive(endedAgo(7))).toBe(false)
})

test('unknown key ids do not make the keys be read again, but where a new one may not have been heard of', async () => {
  const user = await service.createSignedIn()
  const { db, count } = counted()
  const verify = verifierOn(db, { isHeard: false })
  const informed = counted()
  const verifyInformed = verifierOn(informed.db)
  let clock = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
  const storm = () =>
    Promise.allSettled(
      Array.from({ length: 200 }, (_, i) =>
        (i % 2 ? verify : verifyInformed)(rs256(key, sessionClaims(service, user), { kid: randomUUID() })),
      ),
    )

  const outcomes = await storm()
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
  expect(count()).toBe(1)

  clock += 249
  await storm()
  expect(count()).toBe(1)

  clock += 1
  await storm()
  expect(count()).toBe(2)
  expect(informed.count()).toBe(1)
  expect(await verify(user.token)).toMatchObject({ claims: { sub: user.id } })
  expect(count()).toBe(2)
})

test('a key verifies within its grace, and not long after its row is gone where no word of that comes', async () => {
  const user = await service.createSignedIn()
  const retired = attackerKey(randomUUID())
  await insertKey(retired, { expires_at: new Date(Date.now() - hourMs / 2) })
  const token = rs256(retired, sessionClaims(service, user))
  const verify = verifierOn(service.db, { isHeard: false })
  let clock = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => clock)

  expect(await verify(token)).toMatchObject({ claims: { sub: user.id } })
  await expect(verifierOn(service.db, { graceMs: hourMs / 4 })(token)).rejects.toMatchObject({ slug: 'invalid-token' })

  await service.db.deleteFrom('jwks').where('id', '=', retired.kid).execute()
  clock += 250
  await expect(verify(token)).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('a key of unknown algorithm does not take the one that the token names', async () => {
  const user = await service.createSignedIn()
  const unnamed = attackerKey(randomUUID())
  await insertKey(unnamed, { alg: null })

  const verified = verifierOn(service.db)(rs256(unnamed, sessionClaims(service, user)))

  await expect(verified).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('a token signed by our key with an algorithm that it was not made for is refused', async () => {
  const user = await service.createSignedIn()
  const strict = attackerKey(randomUUID())
  await insertKey(strict, { alg: 'RS512' })

  const verified = verifierOn(service.db)(rs256(strict, sessionClaims(service, user)))

  await expect(verified).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('keys that cannot be read are asked for again by the next token', async () => {
  const user = await service.createSignedIn()
  let isDown = true
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (isDown) throw new Error('the database is down')
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  const verify = verifierOn(service.db.withPlugin(plugin))

  await expect(verify(user.token)).rejects.toThrow('the database is down')
  isDown = false
  expect(await verify(user.token)).toMatchObject({ claims: { sub: user.id } })
})
