import { z } from '@hono/zod-openapi'
import { expect, test } from 'vitest'
import { type RequestOptions, startServiceForFile } from '../support/harness.ts'
import { frontEnd, hs256, nowSeconds, sessionClaims } from '../support/tokens.ts'
import { bodyOf, invalidAt, problemOf } from '../support/wire.ts'

const service = await startServiceForFile({
  env: frontEnd.env,
})
const { db, request } = service

const Active = z.strictObject({
  active: z.literal(true),
  sub: z.string(),
  sid: z.string().nullable(),
  role: z.string().nullable(),
  scope: z.string(),
  clientId: z.string().nullable(),
  act: z.strictObject({ sub: z.string() }).nullable(),
  iss: z.string().nullable(),
  aud: z.string().nullable(),
  iat: z.int(),
  exp: z.int(),
})

const verify = (options: RequestOptions) => request('/api/v1/auth/verify', { method: 'POST', ...options })
const ada = await service.createSignedIn()

test('tells of the presented JWT whose it is, and what it may', async () => {
  const answer = await bodyOf(await verify({ token: ada.token }), Active)

  expect(answer).toMatchObject({ sub: ada.id, sid: ada.sessionId, role: 'user', clientId: null })
  expect(answer).toMatchObject({ iss: `${service.baseUrl}/api/auth`, aud: `${service.baseUrl}/api/v1` })
  expect(answer.scope.split(' ').sort()).toEqual(['account:read', 'account:write'])
  expect(answer.exp - answer.iat).toBe(900)
  expect(Math.abs(answer.iat - nowSeconds())).toBeLessThan(30)
})

test('tells of the presented cookie when its session began and ends', async () => {
  const { iat, exp, ...answer } = await bodyOf(await verify({ cookie: ada.cookie }), Active)

  expect(answer).toMatchObject({ sub: ada.id, sid: ada.sessionId, iss: null, aud: null, clientId: null })
  expect(exp - iat).toBe(7 * 86_400)
})

test('an empty object asks about the presented credential too', async () => {
  expect(await bodyOf(await verify({ token: ada.token, json: {} }), Active)).toMatchObject({ sub: ada.id })
})

test('tells of another good token, with the role that its user has now', async () => {
  const bob = await service.createSignedIn()
  await db.updateTable('user').set({ role: 'moderator' }).where('id', '=', bob.id).execute()

  const answer = await bodyOf(await verify({ token: ada.token, json: { token: bob.token } }), Active)

  expect(answer).toMatchObject({ sub: bob.id, sid: bob.sessionId, role: 'moderator' })
  expect(answer.scope.split(' ')).toContain('users:ban')
})

test('tells of a token without a session that it has none', async () => {
  const token = hs256(frontEnd.secret, sessionClaims(service, ada, { iss: frontEnd.issuer, sid: undefined }))

  expect(await bodyOf(await verify({ token }), Active)).toMatchObject({ sub: ada.id, sid: null, iss: frontEnd.issuer })
  expect(await problemOf(await request('/api/v1/auth/session', { token }))).toMatchObject({
    status: 404,
    slug: 'not-found',
  })
})

test.each<[object, string]>([
  [{ token: '' }, '/token'],
  [{ token: 7 }, '/token'],
  [{ token: null }, '/token'],
  [{ jwt: 'x' }, '/jwt'],
])('refuses the body %j', async (json, pointer) => {
  expect(await problemOf(await verify({ token: ada.token, json }))).toEqual(invalidAt(pointer))
})
