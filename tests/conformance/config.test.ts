import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { startService, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

// Named after the module of the OpenID Foundation's plan "Config OP", and P-26 of the attacks.

const service = await startServiceForFile()
const issuer = `${service.baseUrl}/api/auth`
const paths = [
  '/api/auth/.well-known/openid-configuration',
  '/api/auth/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/api/auth',
]

async function metadataAt(path: string) {
  const response = await service.request(path)
  expect([path, response.status, response.headers.get('content-type')]).toEqual([path, 200, 'application/json'])
  return (await response.json()) as Record<string, unknown>
}

test('oidcc-discovery-endpoint-verification', async () => {
  const metadata = await metadataAt('/api/auth/.well-known/openid-configuration')
  expect(metadata).toMatchObject({
    issuer,
    authorization_endpoint: `${issuer}/oauth2/authorize`,
    token_endpoint: `${issuer}/oauth2/token`,
    userinfo_endpoint: `${issuer}/oauth2/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  })
})

describe('P-26 the metadata', () => {
  test('is the same wherever it is looked for', async () => {
    const [first, ...others] = await Promise.all(paths.map(metadataAt))
    for (const other of others) expect(other).toEqual(first)
    expect((await service.request('/.well-known/openid-configuration')).status).toBe(404)
  })

  test('says what there is, and no more', async () => {
    expect(await metadataAt('/.well-known/oauth-authorization-server/api/auth')).toEqual({
      issuer,
      authorization_endpoint: `${issuer}/oauth2/authorize`,
      token_endpoint: `${issuer}/oauth2/token`,
      userinfo_endpoint: `${issuer}/oauth2/userinfo`,
      introspection_endpoint: `${issuer}/oauth2/introspect`,
      revocation_endpoint: `${issuer}/oauth2/revoke`,
      end_session_endpoint: `${issuer}/oauth2/end-session`,
      jwks_uri: `${issuer}/jwks`,
      scopes_supported: expect.arrayContaining([
        'openid',
        'profile',
        'email',
        'offline_access',
        'account:read',
      ]) as string[],
      claims_supported: expect.arrayContaining(['sub', 'iss', 'aud', 'exp', 'iat', 'sid', 'name', 'email']) as string[],
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      authorization_response_iss_parameter_supported: true,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      acr_values_supported: ['0'],
      prompt_values_supported: ['login', 'consent', 'create', 'select_account', 'none'],
      claims_parameter_supported: false,
      request_parameter_supported: false,
      request_uri_parameter_supported: false,
    })
  })

  test('names the issuer that tokens name, and the keys that sign them', async () => {
    const metadata = await metadataAt('/api/auth/.well-known/openid-configuration')
    const client = createBareClient(service, await registerClient(service))
    const { access_token, id_token } = await client.tokensFor(await service.createSignedIn())
    const keys = createRemoteJWKSet(new URL(String(metadata['jwks_uri'])))
    for (const token of [access_token, id_token]) {
      expect(decodeJwt(token).iss).toBe(metadata['issuer'])
      expect((await jwtVerify(token, keys, { algorithms: ['RS256'] })).payload.iss).toBe(issuer)
    }
  })

  test.each(['ES256', 'EdDSA'])('names the algorithm that is set, by which ID tokens verify: %s', async (algorithm) => {
    const other = await startWith(algorithm)
    const response = await other.request('/api/auth/.well-known/openid-configuration')
    expect(await response.json()).toMatchObject({ id_token_signing_alg_values_supported: [algorithm] })

    const client = createBareClient(other, await registerClient(other))
    const { id_token } = await client.tokensFor(await other.createSignedIn())
    const keys = createRemoteJWKSet(new URL(`${other.url}/api/auth/jwks`))
    const { protectedHeader } = await jwtVerify(id_token, keys, { audience: client.id })
    expect(protectedHeader.alg).toBe(algorithm)
  })

  test('leads to endpoints that are there', async () => {
    const metadata = await metadataAt('/api/auth/.well-known/openid-configuration')
    const endpoints = Object.entries(metadata).filter(([name]) => /_(endpoint|uri)$/.test(name))
    expect(endpoints.length).toBe(7)
    for (const [name, url] of endpoints) {
      const { pathname } = new URL(String(url))
      const isForm = /^(token|introspection|revocation)_/.test(name)
      const response = await service.request(pathname, {
        ...(isForm && {
          method: 'POST',
          body: 'x=1',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
      })
      expect([name, response.status]).not.toEqual([name, 404])
      expect(response.status).toBeLessThan(500)
    }
  })
})

async function startWith(algorithm: string) {
  const started = await startService({ env: { JWT_ALGORITHM: algorithm } })
  onTestFinished(() => started.stop())
  return started
}
