import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { forgedTokens } from '../support/forged-tokens.ts'
import { type RequestOptions, type SignedIn, startServiceForFile } from '../support/harness.ts'
import {
  bodyFor,
  type Call,
  clientOf,
  documentedOperations,
  examples,
  grantClient,
  pathFor,
  servedRoutes,
} from '../support/openapi.ts'
import { createCalls, refusal, refusalOf } from '../support/refusals.ts'
import { type Members, sessionClaims, signed, signingKeyOf } from '../support/tokens.ts'

const service = await startServiceForFile()
const { db } = service
const operations = await documentedOperations(service)

/** Not operations of the API: what describes it. */
const reference = ['openapi.json', 'openapi-auth.json', 'docs', 'docs/scalar.js', 'docs/signed-in']

const admin = await service.createSignedIn('admin')
const target = await grantClient(service, await service.createSignedIn())
const formerAdmin = await service.createSignedIn('admin')
await db.updateTable('user').set({ role: 'user' }).where('id', '=', formerAdmin.id).execute()
const banned = await service.createSignedIn('admin')
await db.updateTable('user').set({ banned: true }).where('id', '=', banned.id).execute()
const ended = await service.createSignedIn('admin')
await db.deleteFrom('session').where('id', '=', ended.sessionId).execute()

await grantClient(service, admin)
const disconnected = await grantClient(service, await service.createSignedIn('admin'))
await db.updateTable('oauth_grant').set({ ended_at: new Date() }).where('user_id', '=', disconnected.id).execute()
const disabled = await grantClient(service, await service.createSignedIn('admin'))
await db.updateTable('oauth_client').set({ disabled: true }).where('client_id', '=', clientOf(disabled.id)).execute()
const key = await signingKeyOf(service)

/** An access token that the client of a user was given, with `changes` to its claims. */
function delegated(changes: Members = {}, user: SignedIn = admin): string {
  const claims = { client_id: clientOf(user.id), jti: randomUUID(), scope: 'users:read', ...changes }
  return signed(key, sessionClaims(service, user, claims), { typ: 'at+jwt' })
}

/** Requests that nobody stands behind: what they present, and the problem they must meet. */
const strangers: [name: string, credential: RequestOptions, type: string][] = [
  ['nothing', {}, 'unauthenticated'],
  ...forgedTokens({ service, user: admin, key }).map(
    ([name, token, type = 'invalid-token']): [string, RequestOptions, string] => [name, { token }, type],
  ),
  ['J-32 another scheme', { headers: { authorization: `Basic ${admin.token}` } }, 'invalid-token'],
  ['J-33 a garbage token', { token: 'garbage' }, 'invalid-token'],
  ['J-33 a scheme without a token', { headers: { authorization: 'Bearer' } }, 'invalid-token'],
  ['J-33 two tokens in one header', { headers: { authorization: `Bearer ${admin.token} x` } }, 'invalid-token'],
  ['J-35 a token in another header', { headers: { 'x-authorization': `Bearer ${admin.token}` } }, 'unauthenticated'],
  ['J-36 a bad token beside a good cookie', { token: 'garbage', cookie: admin.cookie }, 'invalid-token'],
  ['(A-17) a token of a client that was disconnected', { token: delegated({}, disconnected) }, 'invalid-token'],
  ['(A-17) a token of a client that was disabled', { token: delegated({}, disabled) }, 'invalid-token'],
  ['(A-17) a token of a client that is gone', { token: delegated({ client_id: 'gone' }) }, 'invalid-token'],
  [
    'a token of a client for another resource too',
    { token: delegated({ aud: [`${service.baseUrl}/api/v1`, 'x'] }) },
    'invalid-token',
  ],
  ['a token of a client for an ended session', { token: delegated({ sid: ended.sessionId }) }, 'session-ended'],
  ['a token of a client without a session', { token: delegated({ sid: undefined }) }, 'session-ended'],
  ['a token of a client for a banned user', { token: delegated({}, banned) }, 'banned'],
  ['a token of a client that says no id of its own', { token: delegated({ jti: undefined }) }, 'invalid-token'],
  ['(S-07) a cookie that we did not sign', { cookie: `${admin.cookie.slice(0, -8)}AAAAA%3D` }, 'session-ended'],
]

const { call, stateOf } = createCalls(service, target)

test('every operation in the document has an example here', () => {
  expect(operations.map(({ id }) => id).sort()).toEqual(Object.keys(examples).sort())
})

test('every route under /api/v1 is in the document', async () => {
  const described = reference.map((name) => `GET /api/v1/${name}`)
  const documented = operations.map(({ method, path }) => `${method} ${path}`)
  expect((await servedRoutes(service)).sort()).toEqual([...documented, ...described].sort())
})

describe.each(operations)('$id', (operation) => {
  test.each(['token', 'cookie'] as const)('answers an admin who presents a %s', async (credential) => {
    const user = await grantClient(service, await service.createSignedIn())
    const caller = await service.createSignedIn('admin')

    const response = await call(operation, { [credential]: caller[credential] }, user)

    expect(response.status).toBe(operation.success)
  })

  test.each(strangers)('refuses %s', async (_name, credential, type) => {
    const before = await stateOf(target.id)

    const response = await call(operation, credential)

    const challenge = type === 'unauthenticated' ? 'Bearer' : 'Bearer error="invalid_token"'
    expect(await refusalOf(response)).toEqual(refusal(401, type, challenge))
    expect(await stateOf(target.id)).toEqual(before)
  })

  test('J-26 refuses a client the scope that it was not given', async () => {
    const before = await stateOf(target.id)

    const response = await call(operation, { token: delegated({ scope: 'openid' }) })

    const { status, type, challenge } = await refusalOf(response)
    expect({ status, type }).toEqual({ status: 403, type: '/problems/insufficient-scope' })
    expect(challenge).toMatch(/^Bearer error="insufficient_scope", scope="[a-z]+:[a-z]+"$/)
    expect(await stateOf(target.id)).toEqual(before)
  })

  test('J-33 refuses two Authorization headers', async () => {
    const before = await stateOf(target.id)
    for (const second of [admin.token, 'garbage', formerAdmin.token]) {
      expect(await sendTwice(operation, admin, second)).toEqual({ status: 400, type: '/problems/malformed-request' })
    }
    expect(await stateOf(target.id)).toEqual(before)
  })
})

/** Sends two Authorization headers as two lines; fetch would join them. */
async function sendTwice(operation: Call, { token }: SignedIn, second: string) {
  const { json } = bodyFor(operation)
  const body = json === undefined ? '' : JSON.stringify(json)
  const headers = ['authorization', `Bearer ${token}`, 'authorization', `Bearer ${second}`]
  headers.push('host', new URL(service.url).host, 'content-length', String(Buffer.byteLength(body)))
  if (body) headers.push('content-type', 'application/json')
  const outgoing = httpRequest(service.url + pathFor(operation, target), { method: operation.method, headers })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const { type } = JSON.parse(await text(incoming)) as { type: string }
  return { status: incoming.statusCode, type }
}
