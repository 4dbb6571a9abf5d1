import { decodeJwt, decodeProtectedHeader } from 'jose'
import pg from 'pg'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { inAuthTransaction } from '../../src/auth/auth-transaction.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import { keyMint } from '../../src/auth/keys/mint-key.ts'
import { createSigningKeys } from '../../src/auth/keys/signing-keys.ts'
import { createTokenSigner } from '../../src/auth/keys/token-signer.ts'
import { createSecrets } from '../../src/auth/secrets.ts'
import { createBareClient } from '../support/bare-client.ts'
import { createTestDatabase, secret, startService, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const hourMs = 3_600_000

// Ahead of any connection, which keeps the function that it finds.
const query = vi.spyOn(pg.Client.prototype, 'query')

const service = await startServiceForFile()
const { db } = service

// Some tests leave no key.
beforeEach(() => service.services.keys.maintain(keyMint('RS256', secret)))

/** What signs as the service does, apart from it. */
function createSigner(isHeard = true, now?: () => number) {
  const policy = {
    algorithm: 'RS256',
    rotationMs: 90 * 24 * hourMs,
    publishAheadMs: 24 * hourMs,
    graceMs: hourMs,
  } as const
  const rows = createKeyRows(db, () => isHeard)
  const keys = createSigningKeys(db, rows, policy, now)
  const secrets = createSecrets(secret)
  return { rows, signer: createTokenSigner({ keys, algorithm: policy.algorithm, secrets, ...(now && { now }) }) }
}

/** How many statements that name a table the database was asked for since now. */
function statementsOn(table: string): () => number {
  const before = query.mock.calls.length
  return () =>
    query.mock.calls.slice(before).filter(([statement]) => JSON.stringify(statement).includes(`\\"${table}\\"`)).length
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid

test('tokens are made, published keys told, and tokens verified without another look at the table', async () => {
  const { cookie } = await service.createSignedIn()
  service.services.keyRows.forget()
  const [keys, sessions] = [statementsOn('jwks'), statementsOn('session')]

  const tokens = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const response = await service.request('/api/auth/token', { cookie })
      return ((await response.json()) as { token: string }).token
    }),
  )
  for (const token of tokens) expect((await service.request('/api/v1/auth/me', { token })).status).toBe(200)
  expect((await service.request('/api/auth/jwks')).status).toBe(200)

  expect(new Set(tokens).size).toBe(8)
  expect(keys()).toBe(1)
  expect(sessions()).toBeGreaterThanOrEqual(8)
})

test('a private key is decrypted once', async () => {
  const { rows, signer } = createSigner()
  const first = await signer.sign({ sub: 'ada' })
  const [key] = [...(await rows.read()).values()]
  if (!key) throw new Error('there is no key')

  key.row.private_key = 'cannot be decrypted any more'

  expect(await signer.sign({ sub: 'ada' })).toBe(first)
})

test('a token names its key after the members of the header that are given', async () => {
  const { signer } = createSigner()

  const token = await signer.sign({ sub: 'ada', sid: undefined }, { typ: 'at+jwt' })

  const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  const kid = (await service.services.keys.current())?.row.id
  expect([header, payload]).toEqual([`{"typ":"at+jwt","alg":"RS256","kid":"${kid}"}`, '{"sub":"ada"}'])
})

test('the times of a token are moved to the clock given, and nothing else is', async () => {
  const { signer } = createSigner(true, () => Date.now() + hourMs)
  const iat = Math.floor(Date.now() / 1_000)

  const token = await signer.sign({ iat, exp: iat + 900, auth_time: iat, sub: 'ada' })

  expect(decodeJwt(token)).toEqual({ iat: iat + 3_600, exp: iat + 4_500, auth_time: iat, sub: 'ada' })
})

test('a key that has ended by the clock given signs no more', async () => {
  const former = kidOf(await createSigner().signer.sign({}))
  onTestFinished(async () => void (await db.deleteFrom('jwks').execute()))

  const ahead = createSigner(true, () => Date.now() + 91 * 24 * hourMs)

  expect(kidOf(await ahead.signer.sign({}))).not.toBe(former)
})

test('where no word of it may come, a key whose row was deleted does not sign for long, and many who need another make one', async () => {
  const { signer } = createSigner(false)
  let clock = Math.ceil(performance.now())
  const time = vi.spyOn(performance, 'now').mockImplementation(() => clock)
  onTestFinished(() => time.mockRestore())
  const former = kidOf(await signer.sign({}))

  await db.deleteFrom('jwks').execute()
  clock += 249
  expect(kidOf(await signer.sign({}))).toBe(former)
  clock += 1
  const kids = (await Promise.all(Array.from({ length: 8 }, () => signer.sign({})))).map(kidOf)

  const rows = await db.selectFrom('jwks').select('id').execute()
  expect(rows).toHaveLength(1)
  expect(new Set(kids)).toEqual(new Set([rows[0]?.id]))
  expect(kids).not.toContain(former)
})

test('a private key that cannot be decrypted signs nothing, and is asked for again', async () => {
  const { rows, signer } = createSigner()
  const [row] = await db.selectFrom('jwks').select('private_key').execute()
  await db.updateTable('jwks').set({ private_key: '"00"' }).execute()
  await expect(signer.sign({})).rejects.toThrow('cannot be decrypted')

  await service.db
    .updateTable('jwks')
    .set(row ?? {})
    .execute()
  rows.forget()
  expect(kidOf(await signer.sign({}))).toBeTypeOf('string')
})

test('within a transaction no key is made: it could not be, or would be undone', async () => {
  const { signer } = createSigner()
  await db.deleteFrom('jwks').execute()

  const signing = inAuthTransaction(db, service.services.auth.options, () => signer.sign({}))

  await expect(signing).rejects.toMatchObject({ slug: 'dependency-unavailable' })
  expect(await db.selectFrom('jwks').select('id').execute()).toEqual([])
})

test('a machine gets a token though all keys are gone', async () => {
  const machine = { clientCredentialsScopes: ['users:read'] }
  const client = createBareClient(service, await registerClient(service, machine))
  await db.deleteFrom('jwks').execute()
  service.services.keyRows.forget()

  const { status, body } = await client.send('token', { grant_type: 'client_credentials', scope: 'users:read' })

  expect(status).toBe(200)
  const [row] = await db.selectFrom('jwks').select('id').execute()
  expect(kidOf(String(body['access_token']))).toBe(row?.id)
})

test('after a change of JWT_ALGORITHM an ID token bears the key that still signs, and the hash by its algorithm', async () => {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  await (await startService({ database })).stop()
  const service = await startService({ database, env: { JWT_ALGORITHM: 'EdDSA' } })
  onTestFinished(() => service.stop())
  const client = createBareClient(service, await registerClient(service))

  const { id_token } = await client.tokensFor(await service.createSignedIn())

  expect(decodeProtectedHeader(id_token).alg).toBe('RS256')
  // Half of SHA-256, not of SHA-512: OpenID Connect Core 1.0 section 3.1.3.6.
  expect(Buffer.from(String(decodeJwt(id_token)['at_hash']), 'base64url')).toHaveLength(16)
})
