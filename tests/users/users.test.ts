import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type SignedIn, startServiceForFile, type TestUser } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

const rowOf = ({ id }: TestUser) => db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst()

describe('GET /auth/me', () => {
  test('answers with the user behind a session JWT, absent values as null', async () => {
    const ada = await service.createSignedIn()

    const me = await bodyOf(await request('/api/v1/auth/me', { token: ada.token }), WireUser)

    expect(me).toMatchObject({ id: ada.id, email: ada.email, emailVerified: true, name: 'Test User', role: 'user' })
    expect(me).toMatchObject({ image: null, banned: false, banReason: null, banExpires: null })
  })

  test('answers alike to the cookie', async () => {
    const ada = await service.createSignedIn()

    expect(await bodyOf(await request('/api/v1/auth/me', { cookie: ada.cookie }), WireUser)).toMatchObject({
      id: ada.id,
    })
  })
})

describe('GET /users/{id}', () => {
  test('answers to who may read users, to oneself, and to `me`', async () => {
    const ada = await service.createSignedIn()

    for (const [id, token] of [
      [ada.id, admin.token],
      [ada.id, ada.token],
      ['me', ada.token],
    ]) {
      const user = await bodyOf(await request(`/api/v1/users/${id}`, { token: String(token) }), WireUser)
      expect(user).toMatchObject({ id: ada.id, email: ada.email })
    }
  })

  test('answers 404 for an unknown user and 422 for what is no id', async () => {
    const get = async (id: string) => problemOf(await request(`/api/v1/users/${id}`, { token: admin.token }))

    expect(await get(randomUUID())).toEqual({ status: 404, slug: 'not-found', at: [] })
    expect(await get('a%20b')).toEqual(invalidAt('id'))
    expect(await get('a'.repeat(65))).toEqual(invalidAt('id'))
    expect(await get('%00')).toEqual(invalidAt('id'))
  })

  test('answers 403 for somebody else, whether or not they exist', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createUser()]
    const get = async (id: string) => problemOf(await request(`/api/v1/users/${id}`, { token: ada.token }))

    expect(await get(bob.id)).toEqual({ status: 403, slug: 'forbidden', at: [] })
    expect(await get(randomUUID())).toEqual(await get(bob.id))
  })

  test('shows a ban while it lasts, and none once it has expired', async () => {
    const ada = await service.createUser()
    const ban = (ban_expires: Date) =>
      db.updateTable('user').set({ banned: true, ban_reason: 'Spam', ban_expires }).where('id', '=', ada.id).execute()
    const get = async () => bodyOf(await request(`/api/v1/users/${ada.id}`, { token: admin.token }), WireUser)

    await ban(new Date('2099-01-01T00:00:00Z'))
    expect(await get()).toMatchObject({ banned: true, banReason: 'Spam', banExpires: '2099-01-01T00:00:00.000Z' })
    await ban(new Date('2020-01-01T00:00:00Z'))
    expect(await get()).toMatchObject({ banned: false, banReason: null, banExpires: null })
  })
})

describe('DELETE /users/{id}', () => {
  const remove = (id: string, { token }: SignedIn) => request(`/api/v1/users/${id}`, { method: 'DELETE', token })

  test('deletes the user with everything of theirs', async () => {
    const ada = await service.createSignedIn()
    await linkAccount(db, ada.id)

    const response = await remove(ada.id, admin)

    expect([response.status, await response.text()]).toEqual([204, ''])
    expect(await rowOf(ada)).toBeUndefined()
    expect(await db.selectFrom('session').selectAll().where('user_id', '=', ada.id).execute()).toEqual([])
    expect(await db.selectFrom('account').selectAll().where('user_id', '=', ada.id).execute()).toEqual([])
    expect(await problemOf(await remove(ada.id, admin))).toMatchObject({ status: 404 })
    expect(await problemOf(await request('/api/v1/auth/me', { token: ada.token }))).toMatchObject({
      slug: 'session-ended',
    })
  })

  test('is not for oneself, and needs users:delete', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createUser()]

    for (const id of ['me', admin.id]) {
      expect(await problemOf(await remove(id, admin))).toMatchObject({ status: 409, slug: 'self-action' })
    }
    for (const id of ['me', ada.id, bob.id]) {
      expect(await problemOf(await remove(id, ada))).toMatchObject({ status: 403, slug: 'forbidden' })
    }
    expect(await rowOf(bob)).toBeDefined()
  })
})
