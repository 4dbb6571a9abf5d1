import { randomUUID } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { describe, expect, test } from 'vitest'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { bodyOf, invalidAt, problemOf, SessionPage, WireCurrentSession } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const { auth, open } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const Revoked = z.strictObject({ revoked: z.int() })

const list = async (id: string, { token }: SignedIn) =>
  (await bodyOf(await request(`/api/v1/users/${id}/sessions`, { token }), SessionPage)).data
const revoke = (path: string, { token }: SignedIn) => request(`/api/v1/users/${path}`, { method: 'DELETE', token })
const statusOf = async ({ token }: SignedIn) => (await request('/api/v1/auth/me', { token })).status

describe('GET /auth/session', () => {
  test('answers with the session behind the token or the cookie, and its user', async () => {
    const ada = await service.createSignedIn()

    for (const credential of [{ token: ada.token }, { cookie: ada.cookie }]) {
      const { session, user } = await bodyOf(await request('/api/v1/auth/session', credential), WireCurrentSession)
      expect(user).toMatchObject({ id: ada.id, email: ada.email })
      expect(session).toMatchObject({ id: ada.sessionId, userId: ada.id, current: true, impersonatedBy: null })
      expect(session).toMatchObject({ ipAddress: null, userAgent: null })
    }
  })
})

describe('GET /users/{id}/sessions', () => {
  test('lists the live sessions, newest first, and says which one asks', async () => {
    const ada = await service.createSignedIn()
    const second = await service.signIn(ada)
    const expired = await service.signIn(ada)
    const at = (id: string, values: object) => db.updateTable('session').set(values).where('id', '=', id).execute()
    await at(expired.sessionId, { expires_at: new Date() })
    await at(second.sessionId, { ip_address: '203.0.113.7', user_agent: 'curl/8' })
    await db.deleteFrom('session').where('id', '=', 'none').execute()

    const sessions = await list('me', ada)

    expect(sessions.map(({ id, current }) => [id, current])).toEqual([
      [second.sessionId, false],
      [ada.sessionId, true],
    ])
    expect(sessions[0]).toMatchObject({ userId: ada.id, ipAddress: '203.0.113.7', userAgent: 'curl/8' })
    expect((await list(ada.id, second)).map(({ current }) => current)).toEqual([true, false])
    expect((await list(ada.id, admin)).map(({ current }) => current)).toEqual([false, false])
  })

  test('counts the live ones when asked', async () => {
    const ada = await service.createSignedIn()
    const expired = await service.signIn(ada)
    await db.updateTable('session').set({ expires_at: new Date() }).where('id', '=', expired.sessionId).execute()

    const response = await request('/api/v1/users/me/sessions?include=total', { token: ada.token })
    expect(await bodyOf(response, SessionPage)).toMatchObject({
      total: { value: 1, relation: 'eq' },
      page: { limit: 25, nextCursor: null },
    })
    const unasked = await request('/api/v1/users/me/sessions', { token: ada.token })
    expect((await bodyOf(unasked, SessionPage)).total).toBeUndefined()
  })

  test('pages through them without repeating one', async () => {
    const ada = await service.createSignedIn()
    const ids = [ada.sessionId]
    for (let i = 0; i < 4; i++) ids.push((await service.signIn(ada)).sessionId)

    const seen: string[] = []
    let path = '/api/v1/users/me/sessions?limit=2'
    while (path) {
      const response = await request(path, { token: ada.token })
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1] ?? ''
      seen.push(...(await bodyOf(response, SessionPage)).data.map(({ id }) => id))
    }
    expect(seen.toSorted()).toEqual(ids.toSorted())
  })

  test('is for oneself and for who may read sessions', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createSignedIn()]
    const get = async (id: string, { token }: SignedIn) =>
      problemOf(await request(`/api/v1/users/${id}/sessions`, { token }))

    expect(await list(ada.id, await service.createSignedIn('moderator'))).toHaveLength(1)
    expect(await get(ada.id, bob)).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await get(randomUUID(), bob)).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await get(randomUUID(), admin)).toMatchObject({ status: 404, slug: 'not-found' })
  })
})

describe('DELETE /users/{id}/sessions/{sid}', () => {
  test('ends that session, and its token with it', async () => {
    const ada = await service.createSignedIn()
    const second = await service.signIn(ada)

    const response = await revoke(`me/sessions/${second.sessionId}`, ada)

    expect([response.status, await response.text()]).toEqual([204, ''])
    expect([await statusOf(second), await statusOf(ada)]).toEqual([401, 200])
    expect(await problemOf(await revoke(`me/sessions/${second.sessionId}`, ada))).toMatchObject({ status: 404 })
  })

  test('ends the session that asks', async () => {
    const ada = await service.createSignedIn()

    expect((await revoke(`${ada.id}/sessions/${ada.sessionId}`, ada)).status).toBe(204)
    expect(await statusOf(ada)).toBe(401)
  })

  test('refuses what is no id', async () => {
    expect(await problemOf(await revoke('me/sessions/a%20b', admin))).toEqual(invalidAt('sid'))
    expect(await problemOf(await revoke('a%2Fb/sessions/x', admin))).toEqual(invalidAt('id'))
  })
})

describe('DELETE /users/{id}/sessions', () => {
  test('ends all of them, its own too', async () => {
    const ada = await service.createSignedIn()
    const second = await service.signIn(ada)

    expect(await bodyOf(await revoke('me/sessions', ada), Revoked)).toEqual({ revoked: 2 })
    expect([await statusOf(ada), await statusOf(second)]).toEqual([401, 401])
  })

  test('spares the one that asks with keepCurrent', async () => {
    const ada = await service.createSignedIn()
    const others = [await service.signIn(ada), await service.signIn(ada)]

    expect(await bodyOf(await revoke('me/sessions?keepCurrent=true', ada), Revoked)).toEqual({ revoked: 2 })
    expect(await statusOf(ada)).toBe(200)
    for (const other of others) expect(await statusOf(other)).toBe(401)
    expect(await bodyOf(await revoke('me/sessions?keepCurrent=false', ada), Revoked)).toEqual({ revoked: 1 })
  })

  test('of somebody else ends all of theirs and none of one’s own', async () => {
    const [ada, moderator] = [await service.createSignedIn(), await service.createSignedIn('moderator')]

    const response = await revoke(`${ada.id}/sessions?keepCurrent=true`, moderator)

    expect(await bodyOf(response, Revoked)).toEqual({ revoked: 1 })
    expect([await statusOf(ada), await statusOf(moderator)]).toEqual([401, 200])
  })

  test('ends those in which one acts as others, too, and counts one’s own', async () => {
    const [ada, bob] = [await service.createSignedIn('admin'), await service.createUser()]
    const acting = await open(sessionCookieIn(await auth(ada, '/admin/impersonate-user', { userId: bob.id })))
    expect(await statusOf(acting)).toBe(200)

    expect(await bodyOf(await revoke('me/sessions', ada), Revoked)).toEqual({ revoked: 1 })
    expect([await statusOf(ada), await statusOf(acting)]).toEqual([401, 401])
  })

  test('counts live ones only', async () => {
    const ada = await service.createSignedIn()
    const expired = await service.signIn(ada)
    await db.updateTable('session').set({ expires_at: new Date() }).where('id', '=', expired.sessionId).execute()

    expect(await bodyOf(await revoke('me/sessions', ada), Revoked)).toEqual({ revoked: 1 })
  })

  test('needs permission for somebody else, and a user', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createSignedIn()]

    expect(await problemOf(await revoke(`${bob.id}/sessions`, ada))).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await problemOf(await revoke(`${randomUUID()}/sessions`, admin))).toMatchObject({ slug: 'not-found' })
    expect(await statusOf(bob)).toBe(200)
  })

  test.each(['keepCurrent=1', 'keepCurrent=', 'keepCurrent=true&keepCurrent=true', 'keepcurrent=true', 'all=true'])(
    'refuses ?%s and ends none',
    async (query) => {
      const ada = await service.createSignedIn()

      const [name = ''] = query.split('=')
      expect(await problemOf(await revoke(`me/sessions?${query}`, ada))).toEqual(invalidAt(name))
      expect(await statusOf(ada)).toBe(200)
    },
  )
})
