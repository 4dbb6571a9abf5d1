import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { startService } from '../support/harness.ts'
import { answersIn, openSocket } from '../support/raw-http.ts'

interface Line {
  level: number
  msg: string
  status?: number | null
  event?: string
  omitted?: number
}

const perSecond = 200

/** Sends the same request many times over one connection, at once. */
async function flood(service: { url: string }, request: string, count: number): Promise<void> {
  const socket = openSocket(service)
  const received = text(socket)
  socket.write(`${request}\r\n\r\n`.repeat(count - 1))
  socket.write(`${request}\r\nConnection: close\r\n\r\n`)
  expect(answersIn(await received)).toHaveLength(count)
}

describe('D-11 a flood of refused requests', () => {
  test('has two hundred lines a second, and says how many more there were', async () => {
    const service = await startService()
    const count = 3_000
    await flood(service, 'GET /api/v1/auth/me HTTP/1.1\r\nHost: x', count)
    await service.stop()

    const lines = service.logLines().map((line) => JSON.parse(line) as Line)
    const refused = lines.filter(({ status }) => status === 401)
    const told = lines.flatMap(({ omitted }) => omitted ?? [])
    expect(told.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThanOrEqual(perSecond * (told.length + 1))
    expect(refused.length + told.reduce((sum, omitted) => sum + omitted, 0)).toBe(count)
  })

  test('is one too where no limit refuses it: of questions about health', async () => {
    const service = await startService()
    const count = 3_000
    await flood(service, 'GET /health HTTP/1.1\r\nHost: x', count)
    await service.stop()

    const lines = service.logLines().map((line) => JSON.parse(line) as Line)
    const answered = lines.filter(({ status }) => status === 200)
    const told = lines.flatMap(({ omitted }) => omitted ?? [])
    expect(told.length).toBeGreaterThan(0)
    expect(answered.length).toBeLessThanOrEqual(perSecond * (told.length + 1))
    expect(answered.length + told.reduce((sum, omitted) => sum + omitted, 0)).toBe(count)
  })

  test.each<[string, (socket: Socket) => void]>([
    ['nothing became a request', (socket) => socket.end('garbage\r\n\r\n')],
    [
      'nobody waits for the answer',
      (socket) => {
        const head = 'POST /api/v1/auth/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{'
        socket.write(head, () => socket.resetAndDestroy())
      },
    ],
  ])('is one too where %s', async (_, send) => {
    const service = await startService()
    const startedAt = performance.now()
    const trySend = async () => {
      const socket = openSocket(service)
      await once(socket, 'connect')
      send(socket)
      socket.resume()
      await once(socket, 'close')
    }
    await Promise.all(Array.from({ length: 1_000 }, trySend))
    await service.stop()

    // However slow the machine is: a window begins with a refusal, and there is one for each second at most.
    const windows = Math.ceil((performance.now() - startedAt) / 1_000) + 1
    const lines = service.logLines().map((line) => JSON.parse(line) as Line)
    const refused = lines.filter(({ msg }) => msg === 'request' || msg === 'request refused')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThanOrEqual(perSecond * windows)
  })

  test('is one too while the database is out of order, and the reason is told once in ten seconds', async () => {
    const service = await startService()
    const ada = await service.createSignedIn()
    await sql`create function refuse() returns boolean language plpgsql as $$
      begin raise exception 'the reason' using errcode = '53000'; end $$`.execute(service.db)
    await sql`alter table account rename to elsewhere`.execute(service.db)
    await sql`create view account as select * from elsewhere where refuse()`.execute(service.db)
    await sql`insert into elsewhere (id, account_id, provider_id, user_id, created_at, updated_at)
      values ('a', 'a', 'google', ${ada.id}, now(), now())`.execute(service.db)
    const [since, count, startedAt] = [service.logLines().length, 600, performance.now()]
    const head = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}`
    await flood(service, `GET /api/v1/users/me/accounts ${head}`, count)
    const seconds = (performance.now() - startedAt) / 1_000
    await sql`drop view account`.execute(service.db)
    await sql`alter table elsewhere rename to account`.execute(service.db)
    await service.stop()

    const lines = service
      .logLines()
      .slice(since)
      .map((line) => JSON.parse(line) as Line)
    const refused = lines.filter(({ status }) => status === 503)
    const told = lines.flatMap(({ omitted }) => omitted ?? [])
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThanOrEqual(perSecond * (Math.ceil(seconds) + 1))
    expect(refused.length + told.reduce((sum, omitted) => sum + omitted, 0)).toBe(count)
    const reasons = lines.filter(({ msg }) => msg === 'dependency-unavailable')
    expect(reasons[0]).toMatchObject({ level: 50, err: { message: 'the reason' } })
    expect(reasons.length).toBeLessThanOrEqual(Math.ceil(seconds / 10))
  })

  test('takes no line from failures of ours, from sign-ins, or from what is answered', async () => {
    const service = await startService()
    const ada = await service.createSignedIn()
    await flood(service, 'GET /nothing HTTP/1.1\r\nHost: x', 1_000)
    const since = service.logLines().length
    const authorized = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}`

    await flood(service, `GET /api/v1/auth/me ${authorized}`, perSecond + 50)
    await sql`alter table account rename to elsewhere`.execute(service.db)
    await flood(service, `GET /api/v1/users/me/accounts ${authorized}`, perSecond + 50)
    await sql`alter table elsewhere rename to account`.execute(service.db)
    const json = { email: 'nobody@example.com', password: 'a wrong password' }
    for (let i = 0; i < 5; i++)
      await service.request('/api/auth/sign-in/email', { json, headers: { origin: service.baseUrl } })
    await service.stop()

    const lines = service
      .logLines()
      .slice(since)
      .map((line) => JSON.parse(line) as Line)
    const counted = (is: (line: Line) => boolean) => lines.filter(is).length
    expect(counted(({ status }) => status === 200)).toBe(perSecond + 50)
    expect(counted(({ status }) => status === 500)).toBe(perSecond + 50)
    expect(counted(({ event }) => event === 'sign-in-failed')).toBe(5)
  })
})
