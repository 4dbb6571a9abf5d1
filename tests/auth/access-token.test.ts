import { randomUUID } from 'node:crypto'
import type { KyselyPlugin } from 'kysely'
import { afterEach, expect, test, vi } from 'vitest'
import { createAccessTokenVerifier } from '../../src/auth/access-token.ts'
import { createKeyRows } from '../../src/auth/keys/key-rows.ts'
import type { Db } from '../../src/db/database.ts'
import { startServiceForFile } from '../support/harness.ts'
import { attackerKey, insertKey, sessionClaims, signed } from '../support/tokens.ts'

const service = await startServiceForFile()
const hourMs = 3_600_000

afterEach(() => vi.restoreAllMocks())

function verifierOn(db: Db, { graceMs = hourMs, isHeard = true, now = Date.now } = {}) {
  const issuer = `${service.baseUrl}/api/auth`
  const options = { issuer, audience: `${service.baseUrl}/api/v1`, graceMs, shared: undefined, now }
  const verify = createAccessTokenVerifier(
    createKeyRows(db, () => isHeard),
    options,
  )
  return async (token: string) => verify(token)
}

test('a key verifies within its grace, and not long after its row is gone where no word of that comes', async () => {
  const user = await service.createSignedIn()
  const retired = attackerKey(randomUUID())
  await insertKey(service.db, retired, { expires_at: new Date(Date.now() - hourMs / 2) })
  const token = signed(retired, sessionClaims(service, user))
  const verify = verifierOn(service.db, { isHeard: false })
  let clock = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => clock)

  expect(await verify(token)).toMatchObject({ claims: { sub: user.id } })
  await expect(verifierOn(service.db, { graceMs: hourMs / 4 })(token)).rejects.toMatchObject({ slug: 'invalid-token' })

  await service.db.deleteFrom('jwks').where('id', '=', retired.kid).execute()
  clock += 250
  await expect(verify(token)).rejects.toMatchObject({ slug: 'invalid-token' })
})

test('a key verifies until the very end of its grace', async () => {
  const user = await service.createSignedIn()
  const retired = attackerKey(randomUUID())
  const now = Date.now()
  await insertKey(service.db, retired, { expires_at: new Date(now - hourMs) })
  const token = signed(retired, sessionClaims(service, user))

  expect(await verifierOn(service.db, { now: () => now - 1 })(token)).toMatchObject({ claims: { sub: user.id } })
  await expect(verifierOn(service.db, { now: () => now })(token)).rejects.toMatchObject({ slug: 'invalid-token' })
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
