import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { basic, createBareClient, type Fields, refusalOf } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { request } = service
const registered = await registerClient(service, { clientCredentialsScopes: ['users:read'] })
const client = createBareClient(service, registered)
const user = await service.createSignedIn()
const admin = await service.createSignedIn('admin')
const issuer = `${service.baseUrl}/api/auth`
const newClient = { name: 'Evil', redirectUris: ['https://evil.example/callback'] }

describe('P-14, O-13 who may not manage clients', async () => {
  // One with nothing that its user may not do, either.
  const { id } = await registerClient(service, { scopes: ['openid'] })
  test.each<[string, string, object?]>([
    ['GET', '/api/v1/clients'],
    ['POST', '/api/v1/clients', newClient],
    ['GET', `/api/v1/clients/${id}`],
    ['PATCH', `/api/v1/clients/${id}`, { redirectUris: newClient.redirectUris }],
    ['DELETE', `/api/v1/clients/${id}`],
    ['POST', `/api/v1/clients/${id}/secret`],
    ['DELETE', '/api/v1/clients/me'],
    ['POST', '/api/v1/clients/me/secret'],
  ])('is refused: %s %s', async (method, path, json) => {
    const call = (token: string) => request(path, { method, token, ...(json && { json }) })
    expect((await call(user.token)).status).toBe(403)
    expect((await request(`/api/v1/clients/${id}`, { token: admin.token })).status).toBe(200)
  })
})

test('P-16 a client has no address that the service would ask', async () => {
  const asked: string[] = []
  const canary = createServer((incoming, outgoing) => {
    asked.push(incoming.url ?? '')
    outgoing.end('{"keys":[]}')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void canary.close())
  await once(canary, 'listening')
  const at = `http://127.0.0.1:${(canary.address() as AddressInfo).port}`
  const post = (json: object) => request('/api/v1/clients', { token: admin.token, json: { ...newClient, ...json } })

  for (const uri of [at, 'http://169.254.169.254/latest/meta-data', 'https://example.com/jwks']) {
    for (const field of [
      'jwksUri',
      'jwks_uri',
      'logoUri',
      'logo_uri',
      'icon',
      'sectorIdentifierUri',
      'backchannelLogoutUri',
      'backchannel_logout_uri',
      'requestUris',
      'jwks',
    ]) {
      expect([field, (await post({ [field]: uri })).status]).toEqual([field, 422])
    }
  }
  expect((await post({})).status).toBe(201)
  expect(
    (await createVisitor(service, user.cookie).open(client.begin({ request_uri: `${at}/request` }).path)).at,
  ).toContain('error=request_uri_not_supported')
  expect(asked).toEqual([])
})

describe('P-17 a client proves itself', () => {
  const ask = (fields: Fields, headers: Record<string, string> = {}) =>
    client.send('token', { grant_type: 'client_credentials', ...fields }, { auth: 'none', headers })
  const { id } = client
  const secret = client.secret ?? ''

  test('by its secret in the header', async () => {
    expect((await ask({ client_id: undefined }, { authorization: basic(id, secret) })).status).toBe(200)
  })

  test('in the body where it was registered so, and not in the header then', async () => {
    const values = { tokenEndpointAuthMethod: 'client_secret_post', clientCredentialsScopes: ['users:read'] }
    const poster = createBareClient(service, await registerClient(service, values))
    const fields = { grant_type: 'client_credentials' }
    expect((await poster.send('token', fields, { auth: 'post' })).status).toBe(200)
    expect(refusalOf(await poster.send('token', fields))).toEqual([401, 'invalid_client'])
  })

  test.each<[string, Fields, Record<string, string>?]>([
    ['nothing but its id', {}],
    ['its secret in the body', { client_secret: secret }],
    ['an empty secret', { client_secret: '' }],
    ['another secret', {}, { authorization: basic(id, 'x'.repeat(43)) }],
    ['an empty secret in the header', {}, { authorization: basic(id, '') }],
    [
      'the hash of its secret',
      {},
      { authorization: basic(id, createHash('sha256').update(secret).digest('base64url')) },
    ],
    ['a part of its secret', {}, { authorization: basic(id, secret.slice(1)) }],
    ['its secret and more', {}, { authorization: basic(id, `${secret}x`) }],
    ['the id of nobody', {}, { authorization: basic('nobody', secret) }],
    ['no base64', {}, { authorization: 'Basic *' }],
    ['another scheme', {}, { authorization: `Bearer ${secret}` }],
  ])('and not by %s', async (_, fields, headers) => {
    const reply = await ask({ client_id: headers ? undefined : id, ...fields }, headers)
    expect(refusalOf(reply)).toEqual([401, 'invalid_client'])
    expect(reply.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
  })

  test('in one way only', async () => {
    const both = await ask({ client_secret: secret }, { authorization: basic(id, secret) })
    expect(refusalOf(both)).toEqual([400, 'invalid_request'])
  })

  test('by the secret that it has now', async () => {
    const app = await registerClient(service, { clientCredentialsScopes: ['users:read'] })
    const old = createBareClient(service, app)
    const response = await request(`/api/v1/clients/${app.id}/secret`, { method: 'POST', token: admin.token })
    const renewed = createBareClient(service, (await response.json()) as typeof app)
    expect(refusalOf(await old.send('token', { grant_type: 'client_credentials' }))).toEqual([401, 'invalid_client'])
    expect((await renewed.send('token', { grant_type: 'client_credentials' })).status).toBe(200)
  })

  test('and not at all when it has no secret, but for the proof key', async () => {
    const app = createBareClient(service, await registerClient(service, { tokenEndpointAuthMethod: 'none' }))
    const code = () => app.codeFor(createVisitor(service, user.cookie))
    expect((await app.redeem(await code(), {}, { auth: 'none' })).status).toBe(200)
    expect((await app.redeem(await code(), { client_secret: 'x' }, { auth: 'none' })).status).toBe(401)
    expect((await app.redeem(await code(), { code_verifier: undefined }, { auth: 'none' })).status).toBe(400)
    const machine = await app.send('token', { grant_type: 'client_credentials' }, { auth: 'none' })
    expect(refusalOf(machine)).toEqual([400, 'unauthorized_client'])
  })

  test.each([
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:device_code',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    '',
    undefined,
  ])('for a grant that there is, not for "%s"', async (grant_type) => {
    const reply = await client.send('token', { grant_type, username: user.email, password: 'x' })
    expect(reply.status).toBe(400)
    expect(reply.body['error']).toBe(!grant_type ? 'invalid_request' : 'unsupported_grant_type')
  })
})

test('P-20 a client does not prove itself by a JWT, of whatever kind', async () => {
  const { privateKey } = await generateKeyPair('RS256')
  const claims = { iss: client.id, sub: client.id, aud: `${issuer}/oauth2/token`, jti: 'x' }
  const signed = (key: Parameters<SignJWT['sign']>[0], alg: string, more: object = {}) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg }).setIssuedAt().setExpirationTime('1y').sign(key)
  const secret = new TextEncoder().encode(client.secret ?? '')
  const assertions = [
    new UnsecuredJWT(claims).setExpirationTime('1m').encode(),
    await signed(secret, 'HS256'),
    await signed(privateKey, 'RS256'),
    await signed(privateKey, 'RS256', { aud: 'https://other.example.com' }),
    'x',
  ]
  for (const client_assertion of assertions) {
    const reply = await client.send(
      'token',
      {
        grant_type: 'client_credentials',
        client_assertion,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      },
      { auth: 'none' },
    )
    expect(refusalOf(reply)).toEqual([401, 'invalid_client'])
  }
  expect(
    (
      await request('/api/v1/clients', {
        token: admin.token,
        json: { ...newClient, tokenEndpointAuthMethod: 'private_key_jwt' },
      })
    ).status,
  ).toBe(422)
  expect((await client.send('token', { grant_type: 'client_credentials' })).status).toBe(200)
})
