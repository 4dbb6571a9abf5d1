import * as client from 'openid-client'
import { describe, expect, test } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import { startServiceForFile } from '../support/harness.ts'
import { createRelyingParty, redirectUri, registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile({
  auth: { ...authConfig, roles: new Map([...authConfig.roles, ['integrator', new Set(['clients:manage'])]]) },
})
const admin = await service.createSignedIn('admin')

const clients = (path = '', options: object = {}) =>
  service.request(`/api/v1/clients${path}`, { token: admin.token, ...options })

const machine = { redirectUris: [], scopes: [], clientCredentialsScopes: ['users:read'] }

describe('registering', () => {
  test('answers with the secret once, and stores none', async () => {
    const json = { name: 'Weather', uri: 'https://weather.example.com', redirectUris: [redirectUri] }
    const response = await clients('', { json })
    const { id, secret, ...made } = (await response.json()) as { id: string; secret: string }

    expect([response.status, response.headers.get('location')]).toEqual([201, `/api/v1/clients/${id}`])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(secret).toMatch(/^[\w-]{43}$/)
    expect(made).toMatchObject({
      ...json,
      tokenEndpointAuthMethod: 'client_secret_basic',
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      clientCredentialsScopes: [],
      disabled: false,
      firstParty: false,
    })
    const again = (await (await clients(`/${id}`)).json()) as object
    expect(again).toEqual({ id, ...made })
    const row = await service.db.selectFrom('oauth_client').selectAll().where('client_id', '=', id).executeTakeFirst()
    expect(JSON.stringify(row)).not.toContain(secret)
    expect(row?.user_id).toBe(admin.id)
    expect(service.logLines().join('\n')).not.toContain(secret)
  })

  test.each<[string, object, string]>([
    ['no use at all', { redirectUris: [] }, '/redirectUris'],
    ['scopes of its own without a secret', { tokenEndpointAuthMethod: 'none', ...machine }, '/clientCredentialsScopes'],
    ['a scope that there is not', { scopes: ['users:eat'] }, '/scopes/0'],
    ['an identity scope for itself', { clientCredentialsScopes: ['openid'] }, '/clientCredentialsScopes/0'],
    [
      'its own account, of which a machine has none',
      { clientCredentialsScopes: ['account:read'] },
      '/clientCredentialsScopes/0',
    ],
    ['a plain http address elsewhere', { redirectUris: ['http://example.com/cb'] }, '/redirectUris/0'],
    ['a fragment', { redirectUris: ['https://example.com/cb#x'] }, '/redirectUris/0'],
    ['a user in the address', { redirectUris: ['https://me@example.com/cb'] }, '/redirectUris/0'],
    ['a script for an address', { redirectUris: ['javascript:alert(1)'] }, '/redirectUris/0'],
    ['a scheme that anybody may take', { redirectUris: ['myapp://cb'] }, '/redirectUris/0'],
    [
      'an unusable address to sign out to',
      { postLogoutRedirectUris: ['data:text/html,x'] },
      '/postLogoutRedirectUris/0',
    ],
    ['an unusable home page', { uri: 'javascript:alert(1)' }, '/uri'],
    ['an empty name', { name: ' ' }, '/name'],
    ['a secret of its choice', { secret: 'x' }, '/secret'],
    ['keys to fetch', { jwksUri: 'http://169.254.169.254/' }, '/jwksUri'],
    ['a picture to fetch', { logoUri: 'http://169.254.169.254/' }, '/logoUri'],
    ['that nobody is asked', { skipConsent: true }, '/skipConsent'],
  ])('refuses %s', async (_what, values, pointer) => {
    const json = { name: 'Weather', redirectUris: [redirectUri], ...values }
    const response = await clients('', { json })
    const { errors } = (await response.json()) as { errors: { pointer: string }[] }

    expect([response.status, errors.map((error) => error.pointer)]).toEqual([422, [pointer]])
  })

  test.each(['com.example.app:/callback', 'http://127.0.0.1/cb', 'http://[::1]:8080/cb', 'https://example.com/cb?a=b'])(
    'takes the address %s',
    async (uri) => {
      expect((await clients('', { json: { name: 'Weather', redirectUris: [uri] } })).status).toBe(201)
    },
  )

  test('gives no secret to a client that keeps none', async () => {
    expect((await registerClient(service, { tokenEndpointAuthMethod: 'none' })).secret).toBeNull()
  })

  test('lets no client change itself, nor make one that acts for itself', async () => {
    const manager = { redirectUris: [], clientCredentialsScopes: ['clients:manage', 'users:read'] }
    const party = await createRelyingParty(service, await registerClient(service, manager))
    const { access_token: token } = await client.clientCredentialsGrant(party.config)
    const other = await registerClient(service)
    const machineOf = await registerClient(service, machine)

    expect((await clients(`/${other.id}`, { token, method: 'PATCH', json: { name: 'Renamed' } })).status).toBe(200)
    expect((await clients('', { token, json: { name: 'Made', redirectUris: [redirectUri] } })).status).toBe(201)
    for (const refused of [
      await clients(`/${party.id}`, { token, method: 'PATCH', json: { name: 'Renamed' } }),
      await clients(`/${party.id}/secret`, { token, method: 'POST' }),
      await clients('', { token, json: { name: 'Mine', ...machine } }),
      await clients(`/${machineOf.id}/secret`, { token, method: 'POST' }),
    ])
      expect(refused.status).toBe(403)
  })

  test('gives nobody, by a client, what they may not do themselves', async () => {
    const integrator = await service.createSignedIn('integrator')
    const strong = await registerClient(service, machine)
    const weak = await registerClient(service)
    const as = (path: string, options: object) => clients(path, { token: integrator.token, ...options })

    const made = await as('', { json: { name: 'Weather', redirectUris: [redirectUri] } })
    expect(made.status).toBe(201)
    const own = (await made.json()) as { id: string }
    expect((await as(`/${own.id}`, { method: 'PATCH', json: { name: 'Mine' } })).status).toBe(200)
    for (const refused of [
      await as('', { json: { name: 'Mine', ...machine } }),
      await as(`/${own.id}`, { method: 'PATCH', json: { clientCredentialsScopes: ['users:delete'] } }),
      await as(`/${own.id}`, { method: 'PATCH', json: { scopes: ['users:role'] } }),
      await as(`/${strong.id}`, { method: 'PATCH', json: { name: 'Mine' } }),
      await as(`/${weak.id}`, { method: 'PATCH', json: { redirectUris: ['https://evil.example/cb'] } }),
      await as('', { json: { name: 'Mine', redirectUris: [redirectUri], scopes: ['users:role'] } }),
      await as(`/${strong.id}/secret`, { method: 'POST' }),
    ]) {
      expect([refused.status, ((await refused.json()) as { type: string }).type]).toEqual([403, '/problems/forbidden'])
    }
  })
})

describe('a client', () => {
  test('is listed newest first, page by page', async () => {
    const [first, second] = [await registerClient(service), await registerClient(service)]
    const page = (await (await clients('?limit=1&include=total')).json()) as {
      data: { id: string }[]
      page: { nextCursor: string }
      total: { value: number; relation: string }
    }
    const next = (await (await clients(`?limit=1&cursor=${page.page.nextCursor}`)).json()) as typeof page

    expect([page.data[0]?.id, next.data[0]?.id]).toEqual([second.id, first.id])
    expect(page.total.value).toBeGreaterThanOrEqual(3)
    expect(page.total.relation).toBe('eq')
    expect(next).not.toHaveProperty('total')
  })

  test('stays one that is of use', async () => {
    const { id } = await registerClient(service)
    const useless = await clients(`/${id}`, { method: 'PATCH', json: { redirectUris: [] } })
    expect(await useless.json()).toMatchObject({ status: 422, errors: [{ pointer: '/redirectUris' }] })
  })

  test('that is not there is not found', async () => {
    for (const response of [
      await clients('/nobody'),
      await clients('/nobody', { method: 'DELETE' }),
      await clients('/nobody', { method: 'PATCH', json: { name: 'x' } }),
      await clients('/nobody/secret', { method: 'POST' }),
    ])
      expect(response.status).toBe(404)
  })

  test('loses at once what it may do no more', async () => {
    const party = await createRelyingParty(service, await registerClient(service, machine))
    const { access_token: token } = await client.clientCredentialsGrant(party.config)
    const users = () => service.request('/api/v1/users', { token })
    expect((await users()).status).toBe(200)

    await clients(`/${party.id}`, { method: 'PATCH', json: { clientCredentialsScopes: ['sessions:read'] } })

    expect((await users()).status).toBe(403)
  })

  test('with another secret is not known by the old one', async () => {
    const old = await registerClient(service, machine)
    const { secret } = (await (await clients(`/${old.id}/secret`, { method: 'POST' })).json()) as { secret: string }
    const [before, after] = [
      await createRelyingParty(service, old),
      await createRelyingParty(service, { ...old, secret }),
    ]

    await expect(client.clientCredentialsGrant(before.config)).rejects.toMatchObject({ status: 401 })
    expect((await client.clientCredentialsGrant(after.config)).token_type).toBe('bearer')
  })

  test('outlives who made it', async () => {
    const maker = await service.createSignedIn('admin')
    const json = { name: 'Weather', redirectUris: [redirectUri] }
    const { id } = (await (await clients('', { token: maker.token, json })).json()) as { id: string }

    await service.db.deleteFrom('user').where('id', '=', maker.id).execute()

    expect((await clients(`/${id}`)).status).toBe(200)
  })
})
