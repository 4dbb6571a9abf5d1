import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDoors, sessionTokenOf } from '../support/doors.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { problemOf } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const { auth, whois, createMember } = await createDoors(service)
const admin = await service.createSignedIn('admin')

interface Listed {
  id: string
  token: string
}

async function own({ cookie }: SignedIn): Promise<Listed[]> {
  return (await (await request('/api/auth/list-sessions', { cookie })).json()) as Listed[]
}

async function ofUser({ id }: SignedIn): Promise<Listed[]> {
  return (await auth(admin, '/admin/list-user-sessions', { userId: id })).body['sessions'] as Listed[]
}

const revocations: [
  whose: string,
  list: (user: SignedIn) => Promise<Listed[]>,
  revoke: (user: SignedIn, token: string) => ReturnType<typeof auth>,
][] = [
  ['one’s own', own, (user, token) => auth(user, '/revoke-session', { token })],
  ['those of a user', ofUser, (_user, token) => auth(admin, '/admin/revoke-user-session', { sessionToken: token })],
]

describe.each(revocations)('I-02 a list of sessions, %s,', (_whose, list, revoke) => {
  test('holds no session token, and ids in the place of them', async () => {
    const user = await createMember()
    const sibling = await service.signIn(user)

    const sessions = await list(user)

    expect(sessions.map(({ id }) => id).toSorted()).toEqual([user.sessionId, sibling.sessionId].toSorted())
    expect(sessions.map(({ token }) => token)).toEqual(sessions.map(({ id }) => id))
    for (const session of [user, sibling]) expect(JSON.stringify(sessions)).not.toContain(sessionTokenOf(session))
  })

  test('holds what ends a session and opens none', async () => {
    const user = await createMember()
    const sibling = await service.signIn(user)
    const listed = (await list(user)).find(({ id }) => id === sibling.sessionId)?.token ?? ''
    for (const cookie of [user.cookie, sibling.cookie].map((text) => text.replace(/=.*/, `=${listed}`)))
      expect(await whois({ cookie })).toBe('session-ended')
    expect(await whois({ token: listed })).toBe('invalid-token')

    expect((await revoke(user, listed)).status).toBe(200)

    expect([await whois(sibling), await whois(user)]).toEqual(['session-ended', user.id])
  })

  test('gives nothing that its owner need not have: a token that they have ends its session, too', async () => {
    const user = await createMember()
    const sibling = await service.signIn(user)

    expect((await revoke(user, sessionTokenOf(sibling))).status).toBe(200)

    expect([await whois(sibling), await whois(user)]).toEqual(['session-ended', user.id])
  })
})

test('I-02 nothing at /api/v1 shows the token of a session', async () => {
  const { cookie, sessionId, id } = await createMember()

  for (const path of ['/auth/session', '/users/me/sessions', '/auth/me']) {
    const text = await (await request(`/api/v1${path}`, { cookie })).text()
    expect(text).toContain(path === '/auth/me' ? id : sessionId)
    expect(text).not.toContain(sessionTokenOf({ cookie }))
  }
})

describe('O-05 the session of somebody else at /api/v1', () => {
  const end = (path: string, { token }: SignedIn) => request(`/api/v1/users/${path}`, { method: 'DELETE', token })

  test('is not found under one’s own id, nor under that of a third, and not ended', async () => {
    const [ada, bob] = [await createMember(), await createMember()]

    for (const asking of [ada, admin]) {
      const response = await end(`${ada.id}/sessions/${bob.sessionId}`, asking)
      expect(await problemOf(response)).toEqual({ status: 404, slug: 'not-found', at: [] })
    }
    expect(await problemOf(await end(`me/sessions/${bob.sessionId}`, ada))).toMatchObject({ status: 404 })
    expect(await problemOf(await end(`${bob.id}/sessions/${bob.sessionId}`, ada))).toMatchObject({ status: 403 })
    expect(await whois(bob)).toBe(bob.id)

    expect((await end(`${bob.id}/sessions/${bob.sessionId}`, admin)).status).toBe(204)
    expect(await whois(bob)).toBe('session-ended')
  })
})

describe('O-08 the session of somebody else', () => {
  test.each<[string, (session: SignedIn) => string]>([
    ['its token', sessionTokenOf],
    ['its id', ({ sessionId }) => sessionId],
    ['its signed cookie', ({ cookie }) => decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1))],
  ])('is not ended with %s', async (_what, tokenOf) => {
    const [ada, bob] = [await createMember(), await createMember()]
    const sibling = await service.signIn(ada)

    expect(await auth(ada, '/revoke-session', { token: tokenOf(bob) })).toEqual(
      await auth(ada, '/revoke-session', { token: randomUUID() }),
    )

    expect([await whois(bob), await whois({ cookie: bob.cookie })]).toEqual([bob.id, bob.id])
    expect((await auth(ada, '/revoke-session', { token: sibling.sessionId })).status).toBe(200)
    expect(await whois(sibling)).toBe('session-ended')
  })

  test.each<[string, (session: SignedIn) => string]>([
    ['its token', sessionTokenOf],
    ['its id', ({ sessionId }) => sessionId],
  ])('is not ended with %s by who is no admin, nor that of an admin by a moderator', async (_what, tokenOf) => {
    const [ada, moderator, bob] = [await createMember(), await createMember('moderator'), await createMember()]
    const end = (actor: SignedIn, session: SignedIn) =>
      auth(actor, '/admin/revoke-user-session', { sessionToken: tokenOf(session) })

    expect([(await end(ada, bob)).status, (await end(moderator, admin)).status]).toEqual([403, 403])
    expect([await whois(bob), await whois(admin)]).toEqual([bob.id, admin.id])

    expect((await end(moderator, bob)).status).toBe(200)
    expect(await whois(bob)).toBe('session-ended')
  })
})

describe('A-07, S-18 of a user with more sessions than Better-Auth reads at once', () => {
  const many = 1_100

  /** A user with so many sessions that were never used, and one more. */
  async function createBusy(): Promise<SignedIn> {
    const user = await createMember()
    const expires = new Date(Date.now() + 86_400_000)
    const times = { created_at: new Date(), updated_at: new Date(), expires_at: expires, not_after: expires }
    const rows = Array.from({ length: many }, () => ({
      id: randomUUID(),
      token: randomUUID(),
      user_id: user.id,
      ...times,
    }))
    await db.insertInto('session').values(rows).execute()
    return user
  }

  async function sessionsOf({ id }: SignedIn): Promise<string[]> {
    const rows = await db.selectFrom('session').select('id').where('user_id', '=', id).execute()
    return rows.map((row) => row.id)
  }

  test.each<[string, (user: SignedIn) => ReturnType<typeof auth>, (user: SignedIn) => string[]]>([
    ['all others end', (user) => auth(user, '/revoke-other-sessions'), ({ sessionId }) => [sessionId]],
    ['all end', (user) => auth(user, '/revoke-sessions'), () => []],
    ['all end by an admin', ({ id }) => auth(admin, '/admin/revoke-user-sessions', { userId: id }), () => []],
  ])('%s', async (_what, revoke, left) => {
    const [user, other] = [await createBusy(), await createMember()]
    expect(await sessionsOf(user)).toHaveLength(many + 1)

    expect((await revoke(user)).status).toBe(200)

    expect(await sessionsOf(user)).toEqual(left(user))
    expect(await whois(other)).toBe(other.id)
  })

  test('a thousand are listed by Better-Auth, and all of them page by page at /api/v1', async () => {
    const user = await createBusy()
    expect([(await own(user)).length, (await ofUser(user)).length]).toEqual([1_000, 1_000])

    const seen = new Set<string>()
    let path: string | undefined = '/api/v1/users/me/sessions?limit=100'
    while (path !== undefined) {
      const response: Response = await request(path, { token: user.token })
      for (const { id } of ((await response.json()) as { data: Listed[] }).data) seen.add(id)
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(seen.size).toBe(many + 1)
  })
})
