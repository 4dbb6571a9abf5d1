import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createBareClient } from '../support/bare-client.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { answersIn, openSocket, readToEnd } from '../support/raw-http.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'
import { bodyOf, UserPage } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const { createMember } = await createDoors(service)
const admin = await service.createSignedIn('admin')

const post = [
  'POST /api/v1/auth/verify HTTP/1.1\r\nHost: x\r\n',
  `Authorization: Bearer ${admin.token}\r\nContent-Type: application/json\r\n`,
].join('')

test('D-02, N-09 hundreds of heads, bodies and chunks that never end are answered 408, and keep nobody waiting', async () => {
  const kinds = [
    'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    `${post}Content-Length: 100\r\n\r\n{`,
    `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
  ]
  const slow = kinds.flatMap((bytes) =>
    Array.from({ length: 300 }, async () => {
      const socket = openSocket(service)
      socket.write(bytes)
      const drip = setInterval(() => socket.writable && socket.write('1'), 2_000)
      const received = await readToEnd(socket)
      clearInterval(drip)
      return answersIn(received)[0]?.status
    }),
  )
  for (let i = 0; i < 20; i++) {
    expect((await request('/health')).status).toBe(200)
    expect((await request('/api/v1/auth/me', { token: admin.token })).status).toBe(200)
  }

  const statuses = await Promise.all(slow)
  expect(statuses).toHaveLength(900)
  expect(statuses.slice(0, 600).filter((status) => status !== 408)).toEqual([])
  // What drips into a chunk without being one cannot be read.
  expect(statuses.slice(600).filter((status) => status !== 408 && status !== 400)).toEqual([])
})

test('D-03 a thousand connections that have asked once, and stay, keep nobody waiting, and are all still served', async () => {
  const one = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
  const idle = Array.from({ length: 1_000 }, () => openSocket(service))
  const ask = () =>
    Promise.all(
      idle.map(async (socket) => {
        socket.write(one)
        const [answer] = (await once(socket, 'data')) as [Buffer]
        return answer.toString('latin1', 0, 12)
      }),
    )

  expect(new Set(await ask())).toEqual(new Set(['HTTP/1.1 200']))
  for (let i = 0; i < 20; i++) expect((await request('/api/v1/auth/me', { token: admin.token })).status).toBe(200)
  expect(new Set(await ask())).toEqual(new Set(['HTTP/1.1 200']))
})

describe('D-06 what is asked of the provider', () => {
  const rows = async () => {
    const count = (table: 'verification' | 'oauth_refresh_token' | 'oauth_access_token' | 'oauth_consent') =>
      db.selectFrom(table).select('id').execute()
    const tables = ['verification', 'oauth_refresh_token', 'oauth_access_token', 'oauth_consent'] as const
    return Promise.all(tables.map(async (table) => (await count(table)).length))
  }

  test('leaves no row when nobody is signed in, or the client is not known', async () => {
    const client = createBareClient(service, await registerClient(service))
    const before = await rows()
    for (let i = 0; i < 50; i++) {
      expect((await request(client.begin().path)).status).toBe(302)
      await request(client.begin({ client_id: randomUUID() }).path)
      await client.refresh(randomUUID())
      await client.redeem({ code: randomUUID(), verifier: 'x'.repeat(43) })
    }
    expect(await rows()).toEqual(before)
  })

  test('is over in ten minutes, by when what is over is removed, where somebody is', async () => {
    const client = createBareClient(service, await registerClient(service))
    const visitor = createVisitor(service, (await service.createSignedIn()).cookie)
    for (let i = 0; i < 5; i++) await client.codeFor(visitor)
    const codes = await db.selectFrom('verification').select(['expires_at']).execute()
    expect(codes.length).toBeGreaterThanOrEqual(5)
    const latest = Math.max(...codes.map(({ expires_at }) => expires_at.getTime()))
    expect(latest).toBeLessThanOrEqual(Date.now() + 600_000)
  })
})

test('D-07 the largest page of users is smaller than a megabyte', async () => {
  const tag = randomUUID()
  const image = `https://example.com/${'a'.repeat(2_028)}`
  for (let i = 0; i < 100; i++) {
    const email = `${String(i).padStart(3, '0')}${tag}${'a'.repeat(203)}@example.com`
    const { id } = await service.createUser({ email, name: `${'🔑'.repeat(200)}` })
    await db
      .updateTable('user')
      .set({ image, banned: true, ban_reason: '"'.repeat(500) })
      .where('id', '=', id)
      .execute()
  }

  const response = await request(`/api/v1/users?limit=100&q=${tag}`, { token: admin.token })
  const size = (await response.clone().arrayBuffer()).byteLength
  expect((await bodyOf(response, UserPage)).data).toHaveLength(100)
  expect(size).toBeGreaterThan(300_000)
  expect(size).toBeLessThan(1_000_000)
})

describe('D-07 what a browser calls itself', () => {
  const long = `Mozilla/5.0 ${'Chrome/1.0 ('.repeat(1_000)}`

  test('is kept to 500 characters, however it comes to a session, and what is shorter as it is', async () => {
    const member = await createMember()
    const cut = async (agent: string) => {
      const headers = { 'user-agent': agent, origin: service.baseUrl }
      const { status } = await request('/api/auth/sign-in/email', { headers, json: { email: member.email, password } })
      const at = { user_id: member.id, id: randomUUID(), token: randomUUID(), updated_at: new Date() }
      const ends = { expires_at: new Date(Date.now() + 60_000), not_after: new Date(Date.now() + 60_000) }
      await db
        .insertInto('session')
        .values({ ...at, ...ends, user_agent: agent })
        .execute()
      await db.updateTable('session').set({ user_agent: agent }).where('id', '=', member.sessionId).execute()
      const rows = await db.selectFrom('session').select('user_agent').where('user_id', '=', member.id).execute()
      return [status, rows.map(({ user_agent }) => user_agent)]
    }

    expect(await cut(long)).toEqual([200, Array.from({ length: 3 }, () => long.slice(0, 500))])
    const [, agents] = await cut(long.slice(0, 499))
    expect(agents).toContain(long.slice(0, 499))
  })
})

test('D-07 the largest page of sessions is smaller than a megabyte', async () => {
  const user = await service.createSignedIn()
  const ends = { expires_at: new Date(Date.now() + 60_000), not_after: new Date(Date.now() + 60_000) }
  const rows = Array.from({ length: 100 }, () => ({ id: randomUUID(), token: randomUUID(), user_id: user.id, ...ends }))
  const agent = '\u{1F511}"'.repeat(5_000)
  await db
    .insertInto('session')
    .values(rows.map((row) => ({ ...row, updated_at: new Date(), user_agent: agent })))
    .execute()

  for (const [path, count] of [
    ['/api/v1/users/me/sessions?limit=100', 100],
    ['/api/auth/list-sessions', 101],
  ] as const) {
    const text = await (await request(path, { cookie: user.cookie })).text()
    const body = JSON.parse(text) as { data: unknown[] } | unknown[]
    expect(Array.isArray(body) ? body : body.data).toHaveLength(count)
    expect(text.length).toBeGreaterThan(50_000)
    expect(Buffer.byteLength(text)).toBeLessThan(1_000_000)
  }
})

describe('D-09 a problem says little of what was sent', () => {
  const long = 'x'.repeat(60_000)
  const name = 'y'.repeat(7_000)
  const json = (members: object) => ({ method: 'PATCH', token: admin.token, json: members })
  const nested = (levels: number): object =>
    levels === 0 ? {} : { [`${'z'.repeat(500)}${levels}`]: nested(levels - 1) }

  test.each([
    ['a field with a long name', '/users/me', json({ [long]: 1 })],
    ['many fields', '/users/me', json(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`field${i}`, 1])))],
    ['a long value', '/users/me', json({ name: long, image: 'https://x' })],
    ['what is nested', '/users/me', json({ name: nested(20), ...nested(20) })],
    ['a parameter with a long name', `/users?${name}=1`, { token: admin.token }],
    ['a long parameter', `/users?sort=${name}`, { token: admin.token }],
    ['a long id', `/users/${name}`, { token: admin.token }],
    ['a role with a long name', '/users/me/role', { method: 'PUT', token: admin.token, json: { role: long } }],
  ])('to %s', async (_what, path, options) => {
    const response = await request(`/api/v1${path}`, options)
    const body = await response.text()

    expect(response.status).toBe(422)
    const { detail, errors } = JSON.parse(body) as { detail: string; errors: { detail: string }[] }
    expect(detail.length).toBeLessThanOrEqual(500)
    expect(errors.length).toBeLessThanOrEqual(20)
    expect(body.length).toBeLessThan(5_000)
  })
})
