import { expect, test } from 'vitest'
import { basic } from '../support/bare-client.ts'
import { loadDocuments } from '../support/document.ts'
import { type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { request } = service
const form = 'application/x-www-form-urlencoded'
const { faultOf } = await loadDocuments(service)
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

type Case = [what: string, method: 'GET' | 'POST', path: string, options: RequestOptions, status: number]

test.each<Case>([
  ...['token', 'introspect', 'revoke', 'userinfo'].flatMap((path): Case[] => [
    ['of more than 64 KiB', 'POST', path, { body: 'x'.repeat(65_537), headers: { 'content-type': form } }, 413],
    ['that is no form', 'POST', path, { json: {} }, 415],
    ['with a parameter twice', 'POST', path, { body: 'a=1&a=2', headers: { 'content-type': form } }, 400],
  ]),
  [
    'with NUL',
    'POST',
    'token',
    { body: 'grant_type=refresh_token&client_id=%00', headers: { 'content-type': form } },
    400,
  ],
  ['with NUL', 'GET', 'authorize?client_id=%00', {}, 400],
  ['with NUL', 'GET', 'end-session?client_id=%00', {}, 400],
])('P-17 a request %s is refused as clients know it: %s %s', async (_what, method, path, options, status) => {
  const before = service.logLines().length
  const response = await request(`/api/auth/oauth2/${path}`, { ...options, method })

  expect([response.status, await response.clone().json()]).toEqual([
    status,
    { error: 'invalid_request', error_description: expect.any(String) as string },
  ])
  expect(await faultOf(response, ['auth', `/oauth2/${path.replace(/\?.*/, '')}`, method.toLowerCase()])).toBeUndefined()
  // A stranger causes no error of ours.
  const levels = service
    .logLines()
    .slice(before)
    .map((line) => (JSON.parse(line) as { level: number }).level)
  expect(levels.filter((level) => level > 30)).toEqual([])
})
