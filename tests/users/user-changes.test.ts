import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile, type TestUser } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'
import { registerClient } from '../support/relying-party.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

const change = (id: string, { token }: Pick<SignedIn, 'token'>, json: object) =>
  request(`/api/v1/users/${id}`, { method: 'PATCH', token, json })

const rowOf = ({ id }: TestUser) => db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst()

describe('PATCH /users/{id}', () => {
  test('lets users change their own name and picture, and nobody else', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createSignedIn()]
    const json = { name: 'Ada King', image: 'https://example.com/ada.png' }

    const user = await bodyOf(await change('me', ada, json), WireUser)

    expect(user).toMatchObject({ id: ada.id, ...json })
    expect(new Date(user.updatedAt).getTime()).toBeGreaterThanOrEqual(new Date(user.createdAt).getTime())
    expect(await bodyOf(await change(ada.id, ada, { image: null }), WireUser)).toMatchObject({ image: null })
    expect(await problemOf(await change(ada.id, bob, json))).toMatchObject({ status: 403, slug: 'forbidden' })
    expect(await bodyOf(await change(ada.id, admin, { name: 'Ada' }), WireUser)).toMatchObject({ name: 'Ada' })
  })

  test('refuses a change of nothing, in words', async () => {
    const ada = await service.createSignedIn()
    const response = await change('me', ada, {})
    const { detail } = (await response.clone().json()) as { detail: string }

    expect(await problemOf(response)).toEqual(invalidAt(''))
    expect(detail).toBe('nothing to change')
  })

  test('answers 404 for an unknown user, and 403 to who may not know', async () => {
    const ada = await service.createSignedIn()

    expect(await problemOf(await change(randomUUID(), admin, { name: 'A' }))).toMatchObject({ slug: 'not-found' })
    expect(await problemOf(await change(randomUUID(), ada, { name: 'A' }))).toMatchObject({ slug: 'forbidden' })
  })
})

describe('a change of the e-mail address', () => {
  test('counts as unverified, unless it is said to be verified', async () => {
    const ada = await service.createSignedIn()
    const email = `${randomUUID()}@example.com`

    const upper = await bodyOf(await change(ada.id, admin, { email: email.toUpperCase() }), WireUser)
    expect(upper).toMatchObject({ email, emailVerified: false })
    expect(await bodyOf(await change(ada.id, admin, { emailVerified: true }), WireUser)).toMatchObject({
      email,
      emailVerified: true,
    })
    const json = { email: `${randomUUID()}@example.com`, emailVerified: true }
    expect(await bodyOf(await change(ada.id, admin, json), WireUser)).toMatchObject(json)
  })

  test.each<[string, (id: string, email: string) => Promise<Response>]>([
    ['', (id, email) => change(id, admin, { email })],
    [
      ' of Better-Auth',
      (id, email) => request('/api/auth/admin/update-user', { ...admin, json: { userId: id, data: { email } } }),
    ],
  ])('by an admin%s is told at both addresses', async (_door, update) => {
    const [ada, email] = [await service.createUser(), `${randomUUID()}@example.com`]

    expect((await update(ada.id, email.toUpperCase())).status).toBe(200)
    expect((await update(ada.id, email)).status).toBe(200)
    expect((await update(ada.id, admin.email)).status).not.toBe(200)

    const letters = [ada.email, email, admin.email].map((to) => mailsTo(service, to).map(({ subject }) => subject))
    const changed = ['Your e-mail address was changed']
    expect(letters).toEqual([changed, changed, []])
  })

  test('to the same address changes nothing of it', async () => {
    const ada = await service.createSignedIn()

    expect(await bodyOf(await change(ada.id, admin, { email: ada.email }), WireUser)).toMatchObject({
      email: ada.email,
      emailVerified: true,
    })
  })

  test('to one that is taken answers 409', async () => {
    const [ada, bob] = [await service.createUser(), await service.createUser()]

    const response = await change(ada.id, admin, { email: bob.email.toUpperCase() })

    expect(await problemOf(response)).toEqual({ status: 409, slug: 'conflict', at: [] })
    expect(await rowOf(ada)).toMatchObject({ email: ada.email })
  })

  test('ends the links that were mailed to the old one', async () => {
    const ada = await service.createSignedIn()
    const headers = { origin: service.baseUrl }
    await request('/api/auth/request-password-reset', { json: { email: ada.email }, headers })
    await expect.poll(() => mailedToken(service, ada.email)).not.toBe('')

    await change(ada.id, admin, { email: `${randomUUID()}@example.com` })

    const json = { token: mailedToken(service, ada.email), newPassword: 'a password of mine' }
    expect((await request('/api/auth/reset-password', { json, headers })).status).toBe(400)
  })
})

describe('PUT /users/{id}/role', () => {
  const give = (id: string, { token }: Pick<SignedIn, 'token'>, json: object) =>
    request(`/api/v1/users/${id}/role`, { method: 'PUT', token, json })

  test('gives a role, whose permissions hold at once', async () => {
    const ada = await service.createSignedIn()
    const list = async () => (await request('/api/v1/users', { token: ada.token })).status

    expect(await list()).toBe(403)
    expect(await bodyOf(await give(ada.id, admin, { role: 'moderator' }), WireUser)).toMatchObject({
      role: 'moderator',
    })
    expect(await list()).toBe(200)
    expect(await bodyOf(await give(ada.id, admin, { role: 'user' }), WireUser)).toMatchObject({ role: 'user' })
    expect(await list()).toBe(403)
  })

  test('refuses what is no role', async () => {
    const ada = await service.createUser()

    for (const role of ['owner', '', 'ADMIN', '__proto__', null, 7, ['admin']]) {
      expect(await problemOf(await give(ada.id, admin, { role }))).toEqual(invalidAt('/role'))
    }
    expect(await problemOf(await give(ada.id, admin, {}))).toEqual(invalidAt('/role'))
    expect(await problemOf(await give(ada.id, admin, { role: 'user', id: 'x' }))).toEqual(invalidAt('/id'))
    expect(await rowOf(ada)).toMatchObject({ role: 'user' })
  })

  test('needs no other permission', async () => {
    const values = { redirectUris: [], scopes: [], clientCredentialsScopes: ['users:role'] }
    const machine = createBareClient(service, await registerClient(service, values))
    const ada = await service.createUser()

    const { body } = await machine.send('token', { grant_type: 'client_credentials' })
    const response = await give(ada.id, { token: String(body['access_token']) }, { role: 'user' })

    expect(response.status).toBe(200)
  })

  test('is nothing that one may do to oneself with the permissions of an account', async () => {
    const client = createBareClient(service, await registerClient(service))
    const { access_token: token } = await client.tokensFor(admin, { scope: 'openid account:write' })

    const response = await give('me', { token }, { role: 'admin' })

    expect(response.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="users:role"')
  })

  test('needs users:role, and a user', async () => {
    const moderator = await service.createSignedIn('moderator')
    const ada = await service.createUser()

    expect(await problemOf(await give(ada.id, moderator, { role: 'moderator' }))).toMatchObject({ slug: 'forbidden' })
    expect(await problemOf(await give('me', moderator, { role: 'admin' }))).toMatchObject({ slug: 'forbidden' })
    expect(await problemOf(await give(randomUUID(), admin, { role: 'user' }))).toMatchObject({ slug: 'not-found' })
  })
})
