import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { createDoors, sessionCookieIn } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { age as ageOf } from '../support/session-age.ts'

const service = await startServiceForFile()
const { db } = service
const { auth, whois, sessionUser, createMember, open } = await createDoors(service)

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const sessionOf = ({ sessionId }: SignedIn) =>
  db
    .selectFrom('session')
    .select(['created_at', 'updated_at', 'expires_at', 'not_after'])
    .where('id', '=', sessionId)
    .executeTakeFirstOrThrow()

/** How long a session lives without being used, and at most, in milliseconds. */
async function lifeOf(session: SignedIn) {
  const { created_at, expires_at, not_after } = await sessionOf(session)
  return { idle: expires_at.getTime() - created_at.getTime(), most: not_after.getTime() - created_at.getTime() }
}

const age = (session: SignedIn, ms: number) => ageOf(service, session, ms)

async function signIn(rememberMe: boolean): Promise<SignedIn> {
  const { email } = await createMember()
  const json = { email, password, rememberMe }
  const response = await service.request('/api/auth/sign-in/email', { headers: { origin: service.baseUrl }, json })
  const [cookies, body] = [response.headers.getSetCookie(), {}]
  return open(sessionCookieIn({ status: response.status, refusal: undefined, body, cookies }))
}

async function impersonate(): Promise<SignedIn> {
  const [admin, user] = [await createMember('admin'), await createMember()]
  return open(sessionCookieIn(await auth(admin, '/admin/impersonate-user', { userId: user.id })))
}

const reads: [name: string, use: (session: SignedIn) => Promise<unknown>][] = [
  ['a read of /api/v1', ({ cookie }) => whois({ cookie })],
  ["a read of Better-Auth's", (session) => sessionUser(session)],
]

const near = (ms: number) => ({ asymmetricMatch: (actual: unknown) => Math.abs(Number(actual) - ms) <= minute })

test.each<[string, () => Promise<SignedIn>, { idle: number; most: number }]>([
  ['a remembered session', () => signIn(true), { idle: 7 * day, most: 30 * day }],
  ['a session that is not remembered', () => signIn(false), { idle: day, most: day }],
  ['an impersonated session', impersonate, { idle: hour, most: hour }],
])('%s has its lifetimes', async (_name, start, { idle, most }) => {
  expect(await lifeOf(await start())).toEqual({ idle: near(idle), most: near(most) })
})

const unused: [string, start: () => Promise<SignedIn>, life: number][] = [
  ['a remembered session that is not used', () => signIn(true), 7 * day],
  ['a session that is not remembered', () => signIn(false), day],
  ['an impersonated session', impersonate, hour],
]

test.each(unused)('S-02 %s is not over before its end', async (_name, start, life) => {
  const session = await start()
  const { id } = session

  await age(session, life - 2 * minute)
  expect([
    await whois({ token: session.token }),
    await sessionUser(session),
    await whois({ cookie: session.cookie }),
  ]).toEqual([id, id, id])
})

test.each(unused)('S-02 %s opens nothing past its end', async (_name, start, life) => {
  const session = await start()

  await age(session, life + minute)

  expect(await whois({ token: session.token })).toBe('session-ended')
  expect(await whois({ cookie: session.cookie })).toBe('session-ended')
  expect(await sessionUser(session)).toBeUndefined()
  expect((await service.request('/api/auth/token', { cookie: session.cookie })).status).toBe(401)
})

test.each(reads)('%s slides a session once a day', async (_name, use) => {
  const session = await signIn(true)
  const before = await sessionOf(session)

  await use(session)
  expect(await sessionOf(session)).toEqual(before)

  await age(session, day - minute)
  const young = await sessionOf(session)
  await use(session)
  expect(await sessionOf(session)).toEqual(young)

  await age(session, 2 * minute)
  await use(session)
  const slid = await sessionOf(session)
  expect(slid.expires_at.getTime() - Date.now()).toEqual(near(7 * day))

  await use(session)
  expect(await sessionOf(session)).toEqual(slid)
})

test.each(reads)('%s tells the browser that the session was prolonged', async (name) => {
  const session = await signIn(true)
  await age(session, 2 * day)
  const path = name.includes('v1') ? '/api/v1/auth/me' : '/api/auth/get-session'

  const response = await service.request(path, { cookie: session.cookie })

  const [cookie, ...others] = response.headers.getSetCookie().filter((set) => set.includes('session_token='))
  expect(cookie).toMatch(new RegExp(`^${escaped(session.cookie)}; Max-Age=604800; `))
  expect(cookie).toMatch(/HttpOnly; SameSite=Lax/)
  expect(others).toEqual([])
})

test.each(reads)('S-03 %s never slides a session past thirty days', async (_name, use) => {
  const session = await signIn(true)
  for (let days = 5; days < 30; days += 5) {
    await age(session, 5 * day)
    await use(session)
  }
  const { expires_at, not_after } = await sessionOf(session)
  expect(expires_at).toEqual(not_after)
  expect(expires_at.getTime() - Date.now()).toEqual(near(5 * day))

  await use(session)
  expect((await sessionOf(session)).expires_at).toEqual(not_after)

  await age(session, 5 * day)
  expect(await whois({ cookie: session.cookie })).toBe('session-ended')
})

test.each(reads)(
  'S-03 %s does not slide a session that is not remembered, nor an impersonated one',
  async (_name, use) => {
    const [unremembered, acting] = [await signIn(false), await impersonate()]
    await age(unremembered, day - 10 * minute)
    await age(acting, hour - 10 * minute)
    const before = [await sessionOf(unremembered), await sessionOf(acting)]

    await use(unremembered)
    await use(acting)

    expect([await sessionOf(unremembered), await sessionOf(acting)]).toEqual(before)
  },
)

test('a bearer token does not slide its session', async () => {
  const session = await signIn(true)
  await age(session, 2 * day)
  const before = await sessionOf(session)

  expect(await whois({ token: session.token })).toBe(session.id)

  expect(await sessionOf(session)).toEqual(before)
})

test('a JWT ends with its session', async () => {
  const acting = await impersonate()
  await age(acting, hour - 10 * minute)

  const { token } = await open(acting.cookie)

  const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }
  expect(exp).toBe(Math.floor((await sessionOf(acting)).expires_at.getTime() / 1_000))
})

test.each(['not_after', 'created_at', 'user_id', 'impersonated_by'])(
  'an update of %s leaves a session as it is',
  async (column) => {
    const session = await signIn(true)
    const all = () => db.selectFrom('session').selectAll().where('id', '=', session.sessionId).executeTakeFirstOrThrow()
    const before = await all()
    const value =
      column.endsWith('_at') || column === 'not_after' ? new Date(Date.now() + 90 * day) : (await createMember()).id

    await db
      .updateTable('session')
      .set({ [column]: value })
      .where('id', '=', session.sessionId)
      .execute()

    expect(await all()).toEqual(before)
  },
)

test('a session that says it begins later ends as if it began now', async () => {
  const { id } = await service.createUser()
  const later = new Date(Date.now() + 3_000 * day)
  const row = { id: randomUUID(), token: randomUUID(), user_id: id, updated_at: later, created_at: later }

  await db
    .insertInto('session')
    .values({ ...row, expires_at: later, not_after: later })
    .execute()

  const made = await db.selectFrom('session').select('not_after').where('id', '=', row.id).executeTakeFirstOrThrow()
  expect(made.not_after.getTime()).toBeLessThanOrEqual(Date.now() + 30 * day)
})

test('S-03 no update prolongs a session past its absolute end', async () => {
  const session = await signIn(true)

  await db
    .updateTable('session')
    .set({ expires_at: new Date(Date.now() + 90 * day) })
    .where('id', '=', session.sessionId)
    .execute()

  const { expires_at, not_after } = await sessionOf(session)
  expect(expires_at).toEqual(not_after)
})

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
