import { expect, onTestFinished, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { oauthScopes } from '../../src/auth/oauth/scopes.ts'
import { ConfigError } from '../../src/config.ts'
import { createBareClient } from '../support/bare-client.ts'
import { createTestDatabase, startService } from '../support/harness.ts'
import { createRelyingParty, redirectUri, registerClient, tokensFor } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const shop = { name: 'Shop', redirectUris: [redirectUri], scopes: ['openid', 'account:read'] as const }

test('a client of auth.config.ts asks nobody, and is changed by nobody', async () => {
  const own = await startService({ auth: { ...authConfig, clients: new Map([['shop', shop]]) } })
  try {
    const { token } = await own.createSignedIn('admin')
    const user = await own.createSignedIn()
    const party = await createRelyingParty(own, { id: 'shop', secret: null })
    const tokens = await tokensFor(own, party, user, 'openid account:read')
    expect((await own.request('/api/v1/auth/me', { token: tokens.access_token })).status).toBe(200)

    const shown = (await (await own.request('/api/v1/clients/shop', { token })).json()) as object
    expect(shown).toMatchObject({ name: 'Shop', firstParty: true, tokenEndpointAuthMethod: 'none' })
    for (const [method, path, json] of [
      ['PATCH', 'shop', { name: 'x' }],
      ['DELETE', 'shop', undefined],
      ['POST', 'shop/secret', undefined],
    ] as const) {
      expect((await own.request(`/api/v1/clients/${path}`, { token, method, json })).status).toBe(409)
    }
  } finally {
    await own.stop()
  }
})

test('it is disabled when it is not there any more, and back when it is', async () => {
  const database = await createTestDatabase()
  const idsWith = async (entries: [string, typeof shop][]) => {
    const own = await startService({ auth: { ...authConfig, clients: new Map(entries) }, database })
    const rows = await own.db
      .selectFrom('oauth_client')
      .select('client_id')
      .where('disabled', '=', false)
      .orderBy('client_id')
      .execute()
    await own.stop()
    return rows.map(({ client_id }) => client_id)
  }
  try {
    expect(await idsWith([['shop', shop]])).toEqual(['reference', 'shop'])
    expect(await idsWith([])).toEqual(['reference'])
    expect(await idsWith([['shop', shop]])).toEqual(['reference', 'shop'])
  } finally {
    await database.remove()
  }
})

test('one with the id of a registered client is a fault of the configuration', async () => {
  const database = await createTestDatabase()
  try {
    const before = await startService({ database })
    const { id } = await registerClient(before)
    await before.stop()

    const start = startService({ auth: { ...authConfig, clients: new Map([[id, shop]]) }, database })

    await expect(start).rejects.toThrow(
      new ConfigError([`auth.config.ts: client ${id}: a registered client has this id already`]),
    )
  } finally {
    await database.remove()
  }
})

test('one that keeps a secret is given one by an admin', async () => {
  const clientsOf = new Map([['shop', { ...shop, isConfidential: true }]])
  const own = await startService({ auth: { ...authConfig, clients: clientsOf } })
  try {
    const { token } = await own.createSignedIn('admin')
    const response = await own.request('/api/v1/clients/shop/secret', { token, method: 'POST' })
    const { secret } = (await response.json()) as { secret: string }
    const party = await createRelyingParty(own, { id: 'shop', secret })

    expect((await tokensFor(own, party, await own.createSignedIn(), 'openid')).id_token).toBeTypeOf('string')
  } finally {
    await own.stop()
  }
})

test('the API is the one resource, also when the service has moved', async () => {
  const database = await createTestDatabase()
  const start = (host: string) => startService({ database, env: { BETTER_AUTH_URL: `https://${host}.example.com` } })
  try {
    await (await start('before')).stop()
    const service = await start('after')
    const client = createBareClient(service, await registerClient(service))
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    const ask = async (host: string) =>
      (await visitor.open(client.begin({ resource: `https://${host}.example.com/api/v1` }).path)).at
    expect(await ask('after')).toMatch(/^\/consent\?/)
    expect(await ask('before')).toContain('error=invalid_target')
    await service.stop()
    const back = await start('before')
    const rows = await back.db.selectFrom('oauth_resource').select('identifier').where('disabled', '=', false).execute()
    expect(rows).toEqual([{ identifier: 'https://before.example.com/api/v1' }])
    await back.stop()
  } finally {
    await database.remove()
  }
})

test('the reference page may ask for all but what outlives the session', async () => {
  const own = await startService()
  onTestFinished(own.stop)
  const { scopes } = await own.db
    .selectFrom('oauth_client')
    .select('scopes')
    .where('client_id', '=', 'reference')
    .executeTakeFirstOrThrow()

  expect(scopes).toEqual(oauthScopes.filter((scope) => scope !== 'offline_access'))
})
