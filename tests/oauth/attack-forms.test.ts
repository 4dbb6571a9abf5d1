import { expect, test } from 'vitest'
import { basic } from '../support/bare-client.ts'
import { type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { request } = service
const client = await registerClient(service, { clientCredentialsScopes: ['users:read'] })

test.each(['token', 'introspect', 'revoke'])(
  'P-17 a client sends each parameter once, in a form that is posted: %s',
  async (path) => {
    const [once, authorization] = ['grant_type=client_credentials&token=x', basic(client.id, client.secret ?? '')]
    const send = async (options: RequestOptions) => {
      const response = await request(`/api/auth/oauth2/${path}`, {
        ...options,
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded', ...options.headers },
      })
      return [
        response.status,
        ((await response.json()) as Record<string, unknown> | null)?.['error'],
        response.headers.get('allow'),
      ]
    }
    expect(await send({ body: once })).toEqual([200, undefined, null])
    for (const more of [
      'grant_type=client_credentials',
      'token=x',
      'code_verifier=x&code_verifier=x',
      'scope=&scope=',
    ]) {
      expect([more, ...(await send({ body: `${once}&${more}` }))]).toEqual([more, 400, 'invalid_request', null])
    }
    const json = { body: '{}', headers: { 'content-type': 'application/json' } }
    expect(await send(json)).toEqual([415, 'invalid_request', null])
    expect(await send({})).toEqual([405, 'invalid_request', 'POST'])
  },
)
