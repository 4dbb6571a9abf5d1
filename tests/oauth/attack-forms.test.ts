import { expect, test } from 'vitest'
import { basic } from '../support/bare-client.ts'
import { type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { request } = service
const form = 'application/x-www-form-urlencoded'
const client = await registerClient(service, { clientCredentialsScopes: ['users:read'] })

test.each(['token', 'introspect', 'revoke'])(
  'P-17 a client sends each parameter once, in a form that is posted: %s',
  async (path) => {
    const [once, authorization] = ['grant_type=client_credentials&token=x', basic(client.id, client.secret ?? '')]
    const send = async (options: RequestOptions) => {
      const response = await request(`/api/auth/oauth2/${path}`, {
        ...options,
        headers: { authorization, 'content-type': form, ...options.headers },
      })
      return [
        response.status,
        ((await response.json()) as Record<string, unknown> | null)?.['error'],
        response.headers.get('allow'),
        response.headers.get('accept'),
      ]
    }
    expect(await send({ body: once })).toEqual([200, undefined, null, null])
    // RFC 8707: of those there may be several.
    const resource = new URLSearchParams({ resource: `${service.baseUrl}/api/v1` }).toString()
    expect(await send({ body: `${once}&${resource}&${resource}` })).toEqual([200, undefined, null, null])
    for (const more of [
      'grant_type=client_credentials',
      'token=x',
      'code_verifier=x&code_verifier=x',
      'scope=&scope=',
    ]) {
      expect([more, ...(await send({ body: `${once}&${more}` }))]).toEqual([more, 400, 'invalid_request', null, null])
    }
    const json = { body: '{}', headers: { 'content-type': 'application/json' } }
    expect(await send(json)).toEqual([415, 'invalid_request', null, form])
    expect(await send({})).toEqual([405, 'invalid_request', 'POST', null])
    // It lacks all parameters, and is no form of another kind.
    const empty = await request(`/api/auth/oauth2/${path}`, { method: 'POST', headers: { authorization } })
    expect([empty.status, await empty.json()]).toMatchObject([400, { error: 'invalid_request' }])
  },
)
