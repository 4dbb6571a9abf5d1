import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { Principal } from '../../src/auth/principal.ts'
import { errorHandler } from '../../src/failures.ts'
import { openExchange } from '../../src/http/exchange.ts'
import { createBareClient } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const service = await startServiceForFile()
const { services, createSignedIn, db } = service
const client = createBareClient(service, await registerClient(service))
const { authenticate, optionalAuthenticate, requiresRole } = services.guards

const app = new Hono<{ Variables: { principal: Principal | undefined } }>()
app.onError(errorHandler(services.log))
app.get('/own', authenticate, (c) => c.text(c.var.principal.subject))
app.get('/public', optionalAuthenticate, (c) => c.text(c.var.principal?.subject ?? 'nobody'))
app.post('/public', optionalAuthenticate, (c) => c.text(c.var.principal?.subject ?? 'nobody'))
app.get('/staff', requiresRole('moderator', 'admin'), (c) => c.text('in'))
app.get('/members', requiresRole('user'), (c) => c.text('in'))

/** What a team's own route behind a guard answers. */
async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<[number, string]> {
  const incoming = { rawHeaders: [] as string[] } as IncomingMessage
  openExchange(incoming, { id: 'an-id', startedAt: 0 })
  const response = await app.request(path, { method, headers }, { incoming })
  const text = await response.text()
  return [response.status, response.ok ? text : (JSON.parse(text) as { type: string }).type]
}

const bearer = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` })

test('a guarded route knows who asks, and lets nobody else in', async () => {
  const ada = await createSignedIn()

  expect(await get('/own', bearer(ada))).toEqual([200, ada.id])
  expect(await get('/own', { cookie: ada.cookie })).toEqual([200, ada.id])
  expect(await get('/own')).toEqual([401, '/problems/unauthenticated'])
})

test('an open route knows who asks, if anybody does', async () => {
  const ada = await createSignedIn()

  expect(await get('/public', bearer(ada))).toEqual([200, ada.id])
  expect(await get('/public')).toEqual([200, 'nobody'])
})

test('an open route takes an old cookie for nobody, and refuses a bad token', async () => {
  const ada = await createSignedIn()
  await db.deleteFrom('session').where('id', '=', ada.sessionId).execute()

  expect(await get('/public', { cookie: ada.cookie })).toEqual([200, 'nobody'])
  expect(await get('/public', bearer(ada))).toEqual([401, '/problems/session-ended'])
  expect(await get('/public', { authorization: 'Bearer garbage' })).toEqual([401, '/problems/invalid-token'])
})

test('an open route takes the cookie of who asks from another site for an attack, not for an old one', async () => {
  const { cookie, id } = await createSignedIn()

  expect(await get('/public', { cookie, origin: service.baseUrl }, 'POST')).toEqual([200, id])
  expect(await get('/public', { cookie, origin: 'https://evil.example' }, 'POST')).toEqual([403, '/problems/csrf'])
})

test('a route for roles lets each of them in, and no other', async () => {
  const [moderator, admin, user] = [
    await createSignedIn('moderator'),
    await createSignedIn('admin'),
    await createSignedIn(),
  ]

  expect(await get('/staff', bearer(moderator))).toEqual([200, 'in'])
  expect(await get('/staff', bearer(admin))).toEqual([200, 'in'])
  expect(await get('/staff', bearer(user))).toEqual([403, '/problems/forbidden'])
  expect(await get('/staff')).toEqual([401, '/problems/unauthenticated'])
})

test('a route for roles goes by the role of now, not by that of the token', async () => {
  const ada = await createSignedIn('moderator')
  await db.updateTable('user').set({ role: 'user' }).where('id', '=', ada.id).execute()

  expect(await get('/staff', bearer(ada))).toEqual([403, '/problems/forbidden'])
})

test('a route for roles is closed to who acts as somebody of the role', async () => {
  const [admin, acting] = [await createSignedIn('admin'), await createSignedIn('moderator')]
  expect(await get('/staff', bearer(acting))).toEqual([200, 'in'])
  await db.deleteFrom('session').where('id', '=', acting.sessionId).execute()
  await db
    .insertInto('session')
    .values({
      id: acting.sessionId,
      token: `acting-${acting.id}`,
      user_id: acting.id,
      impersonated_by: admin.id,
      created_at: new Date(),
      updated_at: new Date(),
      expires_at: new Date(Date.now() + 60_000),
      not_after: new Date(),
    })
    .execute()

  expect(await get('/staff', bearer(acting))).toEqual([403, '/problems/forbidden'])
  expect(await get('/members', bearer(acting))).toEqual([403, '/problems/forbidden'])
})

test('a route for roles is closed to what a user lets an application do', async () => {
  const ada = await createSignedIn()
  const { access_token: token } = await client.tokensFor(ada)

  expect(await get('/own', bearer({ token }))).toEqual([200, ada.id])
  expect(await get('/members', bearer(ada))).toEqual([200, 'in'])
  expect(await get('/members', bearer({ token }))).toEqual([403, '/problems/forbidden'])
})
