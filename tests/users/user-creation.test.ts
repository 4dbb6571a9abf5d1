import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'
import { mailedToken, mailsTo } from '../support/mails.ts'
import { bodyOf, invalidAt, problemOf, WireUser } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

const create = (json: object, token = admin.token) => request('/api/v1/users', { token, json })
const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Ada Lovelace', password })
const signIn = (email: string, secret: string) =>
  request('/api/auth/sign-in/email', { json: { email, password: secret }, headers: { origin: service.baseUrl } })

function resetPassword(token: string, newPassword: string) {
  return request('/api/auth/reset-password', { json: { token, newPassword }, headers: { origin: service.baseUrl } })
}

describe('POST /users', () => {
  test('creates a user who can sign in, and says where they are', async () => {
    const given = newUser()
    const response = await create(given)
    const location = response.headers.get('location')
    const user = await bodyOf(response, WireUser, 201)

    expect(user).toMatchObject({
      email: given.email,
      name: given.name,
      role: 'user',
      emailVerified: false,
      image: null,
    })
    expect(location).toBe(`/api/v1/users/${user.id}`)
    expect(await bodyOf(await request(String(location), { token: admin.token }), WireUser)).toEqual(user)
    expect((await signIn(given.email, password)).status).toBe(200)
  })

  test('stores the address in lower case', async () => {
    const given = newUser()
    const user = await bodyOf(await create({ ...given, email: given.email.toUpperCase() }), WireUser, 201)

    expect(user.email).toBe(given.email)
  })

  test('E-16 takes a role, and whether the address is verified', async () => {
    const user = await bodyOf(await create({ ...newUser(), role: 'moderator', emailVerified: true }), WireUser, 201)

    expect(user).toMatchObject({ role: 'moderator', emailVerified: true })
  })

  test.each([password.slice(0, 8), 'p1 q2 r3'.repeat(16), '🔑🐴🔋📎🐎🔒🦊🐁', '🔑🐴🔋📎🐎🔒🦊🐁'.repeat(16)])(
    'takes the password %j',
    async (secret) => {
      const given = { ...newUser(), password: secret }

      expect((await create(given)).status).toBe(201)
      expect((await signIn(given.email, secret)).status).toBe(200)
    },
  )

  test.each(['', 'sevench', 'p'.repeat(129), '🔑'.repeat(7), '🔑'.repeat(129), 'passwo\u0000rd1', 'passwo\ud800rd1'])(
    'refuses the weak password %j',
    async (secret) => {
      const given = { ...newUser(), password: secret }

      expect(await problemOf(await create(given))).toEqual({ status: 422, slug: 'weak-password', at: [] })
      const headers = { origin: service.baseUrl }
      expect((await service.request('/api/auth/sign-up/email', { json: given, headers })).status).toBe(400)
      expect(await db.selectFrom('user').where('email', '=', given.email).selectAll().execute()).toEqual([])
    },
  )

  test('E-16 answers 409 for an address that is taken, in any case', async () => {
    const given = newUser()
    await create(given)

    for (const email of [given.email, given.email.toUpperCase()]) {
      expect(await problemOf(await create({ ...given, email }))).toEqual({ status: 409, slug: 'conflict', at: [] })
    }
    expect(await db.selectFrom('user').where('email', '=', given.email).selectAll().execute()).toHaveLength(1)
  })

  test('creates one of two that ask for the same address at once', async () => {
    const given = newUser()
    const statuses = await Promise.all([create(given), create(given)].map(async (response) => (await response).status))

    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 409])
    const accounts = await db
      .selectFrom('account')
      .innerJoin('user', 'user.id', 'account.user_id')
      .select('account.id')
      .where('user.email', '=', given.email)
      .execute()
    expect(accounts).toHaveLength(1)
  })

  test('refuses a role that there is not', async () => {
    for (const role of ['owner', 'constructor', '__proto__', 'Admin']) {
      expect(await problemOf(await create({ ...newUser(), role }))).toEqual(invalidAt('/role'))
    }
  })

  test('needs users:write', async () => {
    const moderator = await service.createSignedIn('moderator')

    expect(await problemOf(await create(newUser(), moderator.token))).toMatchObject({ status: 403, slug: 'forbidden' })
  })

  test.each<[string, object, string]>([
    ['an unknown field', { id: 'mine' }, '/id'],
    ['banned', { banned: false }, '/banned'],
    ['no address', { email: undefined }, '/email'],
    ['what is no address', { email: 'ada@' }, '/email'],
    ['an address with a line break', { email: 'a@example.com\r\nbcc: b@example.com' }, '/email'],
    ['too long an address', { email: `${'a'.repeat(64)}@${'b'.repeat(190)}.com` }, '/email'],
    ['a null address', { email: null }, '/email'],
    ['no name', { name: undefined }, '/name'],
    ['an empty name', { name: '' }, '/name'],
    ['a password that is no text', { password: 12_345_678 }, '/password'],
    ['a flag that is no boolean', { emailVerified: 'true' }, '/emailVerified'],
    ['a role that is no text', { role: ['user'] }, '/role'],
  ])('refuses %s, pointing to it', async (_, change, pointer) => {
    expect(await problemOf(await create({ ...newUser(), ...change }))).toEqual(invalidAt(pointer))
  })

  test.each(['[]', 'null', '"text"', '7', 'true'])('refuses the body %s', async (body) => {
    const response = await request('/api/v1/users', {
      token: admin.token,
      body,
      headers: { 'content-type': 'application/json' },
    })
    expect(await problemOf(response)).toMatchObject({ status: 422, slug: 'validation' })
  })
})

describe('an invitation', () => {
  test('lets the user set a password with the mailed token, once', async () => {
    const { password: _none, ...given } = newUser()
    const user = await bodyOf(await create(given), WireUser, 201)
    const token = mailedToken(service, given.email)

    expect((await resetPassword(token, 'a password of mine')).status).toBe(200)
    expect((await resetPassword(token, 'a password of theirs')).status).toBe(400)
    expect((await signIn(given.email, 'a password of theirs')).status).toBe(401)
    const session = await signIn(given.email, 'a password of mine')
    expect(await session.json()).toMatchObject({ user: { id: user.id } })
  })

  test('is for who is given no password, and leaves it to them whether they have one', async () => {
    const { password: _none, ...given } = newUser()
    const other = newUser()
    const [user, known] = [
      await bodyOf(await create(given), WireUser, 201),
      await bodyOf(await create(other), WireUser, 201),
    ]
    const waysOf = async ({ id }: { id: string }) =>
      (await db.selectFrom('account').select('provider_id').where('user_id', '=', id).execute()).length

    expect([await waysOf(user), await waysOf(known)]).toEqual([0, 1])
    expect(mailsTo(service, given.email)).toHaveLength(1)
    expect(mailsTo(service, other.email)).toEqual([])
    expect(await db.selectFrom('verification').select('id').where('value', '=', known.id).execute()).toEqual([])
  })

  test('works for seven days', async () => {
    const { password: _none, ...given } = newUser()
    const { id } = await bodyOf(await create(given), WireUser, 201)
    const { expires_at } = await db
      .selectFrom('verification')
      .select('expires_at')
      .where('value', '=', id)
      .executeTakeFirstOrThrow()
    const days = (expires_at.getTime() - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(6.99)
    expect(days).toBeLessThanOrEqual(7)

    await db.updateTable('verification').set({ expires_at: new Date() }).where('value', '=', id).execute()
    expect((await resetPassword(mailedToken(service, given.email), 'a password of mine')).status).toBe(400)
  })

  test('is made with its invitation, or not at all', async () => {
    const { password: _none, ...given } = newUser()
    await sql`alter table verification rename to elsewhere`.execute(db)
    const failed = await create(given)
    await sql`alter table elsewhere rename to verification`.execute(db)

    expect(failed.status).toBe(500)
    expect(await db.selectFrom('user').select('id').where('email', '=', given.email).execute()).toEqual([])
    expect((await create(given)).status).toBe(201)
  })

  test('is sent again as a reset mail', async () => {
    const { password: _none, ...given } = newUser()
    await create(given)
    const invitation = mailedToken(service, given.email)

    const json = { email: given.email }
    await request('/api/auth/request-password-reset', { json, headers: { origin: service.baseUrl } })
    await expect.poll(() => mailedToken(service, given.email)).not.toBe(invitation)

    expect((await resetPassword(mailedToken(service, given.email), 'a password of mine')).status).toBe(200)
    expect((await resetPassword(invitation, 'a password of theirs')).status).toBe(400)
    expect((await signIn(given.email, 'a password of mine')).status).toBe(200)
  })

  test('does not let a password that is too short through', async () => {
    const { password: _none, ...given } = newUser()
    await create(given)

    expect((await resetPassword(mailedToken(service, given.email), 'short')).status).toBe(400)
    expect((await resetPassword(mailedToken(service, given.email), 'a password of mine')).status).toBe(200)
  })
})
