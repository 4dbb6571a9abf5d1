import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { findAuthority } from '../../src/auth/authority/authority.queries.ts'
import { createGuards } from '../../src/auth/authorize.ts'
import type { Scope } from '../../src/auth/permissions.ts'
import type { Principal } from '../../src/auth/principal.ts'
import { errorHandler } from '../../src/failures.ts'
import { openExchange } from '../../src/http/exchange.ts'
import { startServiceForFile } from '../support/harness.ts'

const { db, services, createUser } = await startServiceForFile()
const user = await findAuthority(db, (await createUser()).id, null)

/** What routes that need `users:read` or `users:write`, or to be about oneself, or `users:delete`, answer a principal. */
async function answer(changes: Partial<Principal>, scopes: Scope[]) {
  const principal: Principal = {
    kind: 'user',
    subject: 'ada',
    sessionId: null,
    clientId: 'a-client',
    role: 'admin',
    permissions: new Set(scopes),
    impersonatedBy: null,
    ...changes,
  }
  if (!user) throw new Error('There is no user')
  const claims = { iss: null, aud: null, iat: 0, exp: 0 }
  const { requires } = createGuards({
    db,
    authenticate: () => Promise.resolve({ principal, user, claims, slide: false, token: null }),
    sessionCookies: services.sessionCookies,
    trustedOrigins: [],
  })
  const app = new Hono()
  app.onError(errorHandler(services.log))
  app.get('/users/:id', requires('users:read', { orSelf: true }).middleware, (c) => c.text('in'))
  app.patch('/users/:id', requires('users:write', { orSelf: true }).middleware, (c) => c.text('in'))
  app.delete('/users/:id', requires('users:delete').middleware, (c) => c.text('in'))
  return async (method: string, id: string) => {
    const incoming = { rawHeaders: [] as string[] } as IncomingMessage
    openExchange(incoming, { id: 'an-id', startedAt: 0 })
    const headers = { authorization: 'Bearer token' }
    const response = await app.request(`/users/${id}`, { method, headers }, { incoming })
    return [response.status, response.headers.get('www-authenticate')]
  }
}

const needs = (scope: string) => [403, `Bearer error="insufficient_scope", scope="${scope}"`]
const granted = [200, null]

test('a token with the scope of a route opens it, for anybody', async () => {
  const ask = await answer({}, ['users:read'])

  expect(await ask('GET', 'eve')).toEqual(granted)
  expect(await ask('GET', 'me')).toEqual(granted)
})

test('a token with the scope of the account opens what is about its user, and no more', async () => {
  const ask = await answer({}, ['account:read'])

  expect(await ask('GET', 'ada')).toEqual(granted)
  expect(await ask('GET', 'me')).toEqual(granted)
  expect(await ask('GET', 'eve')).toEqual(needs('users:read'))
  expect(await ask('PATCH', 'me')).toEqual(needs('account:write'))
})

test('a token without scopes is told which one it needs', async () => {
  const ask = await answer({}, [])

  expect(await ask('GET', 'eve')).toEqual(needs('users:read'))
  expect(await ask('GET', 'me')).toEqual(needs('account:read'))
  expect(await ask('PATCH', 'eve')).toEqual(needs('users:write'))
})

test('a client is nobody whom a route could be about', async () => {
  const ask = await answer({ kind: 'client', subject: 'a-client', role: null }, ['account:read'])

  expect(await ask('GET', 'me')).toEqual(needs('users:read'))
  expect(await ask('GET', 'a-client')).toEqual(needs('users:read'))
})

test('a route that is not for oneself asks for its own scope, whoever it is about', async () => {
  const ask = await answer({}, ['account:read', 'account:write'])

  expect(await ask('DELETE', 'me')).toEqual(needs('users:delete'))
  expect(await ask('DELETE', 'ada')).toEqual(needs('users:delete'))
})

test('a session that lacks a permission is told nothing of scopes', async () => {
  const ask = await answer({ clientId: null, sessionId: 'a-session', role: 'user' }, ['account:read'])

  expect(await ask('GET', 'eve')).toEqual([403, null])
})
