import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

const ban = (id: string, json?: object, token = admin.token) =>
  request(`/api/v1/users/${id}/ban`, { method: 'POST', token, ...(json && { json }) })
const unban = (id: string, token = admin.token) => request(`/api/v1/users/${id}/ban`, { method: 'DELETE', token })

const meOf = async (token: string) => problemOf(await request('/api/v1/auth/me', { token }))

describe('POST /users/{id}/ban', () => {
  test('without a body bans without reason and end, and ends the sessions at once', async () => {
    const ada = await service.createSignedIn()

    const user = await bodyOf(await ban(ada.id), WireUser)

    expect(user).toMatchObject({ id: ada.id, banned: true, banReason: null, banExpires: null })
    expect(await meOf(ada.token)).toMatchObject({ status: 401, slug: 'banned' })
    expect(await db.selectFrom('session').selectAll().where('user_id', '=', ada.id).execute()).toEqual([])
  })

  test('takes a reason and an end', async () => {
    const ada = await service.createUser()
    const user = await bodyOf(await ban(ada.id, { reason: 'Spam', expiresAt: '2099-01-01T02:00:00+02:00' }), WireUser)

    expect(user).toMatchObject({ banned: true, banReason: 'Spam', banExpires: '2099-01-01T00:00:00.000Z' })
  })

  test('a second time replaces reason and end of the first', async () => {
    const ada = await service.createUser()
    await ban(ada.id, { reason: 'Spam', expiresAt: '2099-01-01T00:00:00Z' })

    const abuse = await bodyOf(await ban(ada.id, { reason: 'Abuse' }), WireUser)
    expect(abuse).toMatchObject({ banned: true, banReason: 'Abuse', banExpires: null })
    const none = await bodyOf(await ban(ada.id, { reason: null, expiresAt: null }), WireUser)
    expect(none).toMatchObject({ banned: true, banReason: null, banExpires: null })
  })

  test.each<[object, string]>([
    [{ expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ expiresAt: '2099-01-01' }, '/expiresAt'],
    [{ expiresAt: 4_070_908_800 }, '/expiresAt'],
    [{ expiresAt: '9999-12-31T23:59:59-12:00' }, '/expiresAt'],
    [{ reason: '' }, '/reason'],
    [{ reason: 'x'.repeat(501) }, '/reason'],
    [{ reason: 'a\u0000b' }, '/reason'],
    [{ reason: 7 }, '/reason'],
    [{ until: '2099-01-01T00:00:00Z' }, '/until'],
  ])('refuses %j', async (json, pointer) => {
    const ada = await service.createSignedIn()

    expect(await problemOf(await ban(ada.id, json))).toEqual(invalidAt(pointer))
    expect((await request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
  })

  test('is not for oneself', async () => {
    for (const id of ['me', admin.id]) {
      expect(await problemOf(await ban(id))).toMatchObject({ status: 409, slug: 'self-action' })
    }
  })

  test('needs users:ban, and a user', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createUser()]

    expect(await problemOf(await ban(bob.id, undefined, ada.token))).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await problemOf(await ban(randomUUID()))).toMatchObject({ status: 404, slug: 'not-found' })
  })

  test('refuses sign-in until it ends', async () => {
    const ada = await service.createUser()
    await ban(ada.id, { expiresAt: new Date(Date.now() + 60_000).toISOString() })

    await expect(service.signIn(ada)).rejects.toMatchObject({ constraint: 'user_banned' })
    await db
      .updateTable('user')
      .set({ ban_expires: new Date(Date.now() - 1) })
      .where('id', '=', ada.id)
      .execute()

    const { token } = await service.signIn(ada)
    expect((await request('/api/v1/auth/me', { token })).status).toBe(200)
  })
})

test.each([{}, { 'content-type': 'application/json' }])(
  'a body that may be left out may be empty, with the headers %j',
  async (headers) => {
    const user = await service.createUser()

    const response = await request(`/api/v1/users/${user.id}/ban`, { method: 'POST', token: admin.token, headers })

    expect(response.status).toBe(200)
  },
)

describe('DELETE /users/{id}/ban', () => {
  test('lifts a ban, and leaves the tokens from before dead', async () => {
    const ada = await service.createSignedIn()
    await ban(ada.id, { reason: 'Spam' })

    const user = await bodyOf(await unban(ada.id), WireUser)

    expect(user).toMatchObject({ banned: false, banReason: null, banExpires: null })
    expect(await meOf(ada.token)).toMatchObject({ status: 401, slug: 'session-ended' })
    const { token } = await service.signIn(ada)
    expect((await request('/api/v1/auth/me', { token })).status).toBe(200)
  })

  test('of somebody who is not banned changes nothing', async () => {
    const ada = await service.createSignedIn()
    const before = await bodyOf(await request('/api/v1/auth/me', { token: ada.token }), WireUser)

    expect(await bodyOf(await unban(ada.id), WireUser)).toEqual(before)
    expect(await bodyOf(await unban(ada.id), WireUser)).toEqual(before)
    expect((await request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
  })

  test('needs users:ban, and a user', async () => {
    const ada = await service.createSignedIn()

    expect(await problemOf(await unban('me', ada.token))).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await problemOf(await unban(randomUUID()))).toMatchObject({ status: 404, slug: 'not-found' })
  })
})
