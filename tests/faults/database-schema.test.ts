import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { readMigrations } from '../../src/db/migrate.ts'
import { me } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { password, type TestService } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'

const server = await postgresForFile({ settings: ['timezone=Pacific/Kiritimati'] })

type Column = { name: string; type: string; required: boolean }

async function columnsOf(client: pg.Client): Promise<Map<string, Column>> {
  const { rows } = await client.query<Column>(`select table_name || '.' || column_name as name, udt_name as type,
    is_nullable = 'NO' and column_default is null and is_identity = 'NO' as required
    from information_schema.columns where table_schema = 'public'`)
  return new Map(rows.map((column) => [column.name, column]))
}

const tableOf = (column: string) => column.split('.')[0]

/** What the version before cannot work with. */
function breaks(before: Map<string, Column>, after: Map<string, Column>): string[] {
  const tables = new Set([...before.keys()].map(tableOf))
  return [
    ...[...before.values()].flatMap(({ name, type, required }) => {
      const now = after.get(name)
      if (!now) return [`${name} is gone`]
      if (now.type !== type) return [`${name} is of another type`]
      return now.required && !required ? [`${name} is required`] : []
    }),
    ...[...after.values()].flatMap(({ name, required }) =>
      required && !before.has(name) && tables.has(tableOf(name)) ? [`${name} is new and required`] : [],
    ),
  ]
}

test('R-12 no migration takes from the version before, which runs on beside it, what that reads or writes', async () => {
  const client = new pg.Client(await emptyDatabase(server))
  await client.connect()
  onTestFinished(() => client.end())
  const found: Record<string, string[]> = {}
  let before = await columnsOf(client)
  for (const { name, text } of readMigrations()) {
    await client.query(text)
    const after = await columnsOf(client)
    const broken = breaks(before, after)
    if (broken.length > 0) found[name] = broken
    before = after
  }

  expect(before.size).toBeGreaterThan(50)
  expect(found).toEqual({})
  await client.query('alter table jwks drop column alg; alter table session add column next text not null')
  expect(breaks(before, await columnsOf(client))).toEqual(['jwks.alg is gone', 'session.next is new and required'])
})

test('R-21 many thousand sessions that end at once are told in one word', async () => {
  const service = await startOn(await emptyDatabase(server))
  const { db } = service
  const [ada, admin] = [await service.createSignedIn(), await service.createSignedIn('admin')]
  const count = isNightly ? 100_000 : 20_000
  await sql`insert into "user" (id, name, email) select 'u' || n, 'Ada', n || '@example.com' from generate_series(1, 500) n`.execute(
    db,
  )
  for (let from = 0; from < count; from += 5_000) {
    await sql`insert into session (id, token, user_id, created_at, updated_at, expires_at)
      select n, n, 'u' || (n % 500 + 1), now(), now(), now() + interval '1 day'
      from generate_series(${from + 1}::int, ${from + 5_000}::int) n`.execute(db)
  }
  expect([(await me(service, ada)).status, (await me(service, admin)).status]).toEqual([200, 200])
  const { gauges } = service.services.authority
  await service.services.upkeep.close()
  const { notifications } = gauges()

  const { rows } = await sql`with ended as (delete from session where user_id <> ${admin.id} returning 1)
    select count(*)::int as n from ended`.execute(db)

  expect(rows).toEqual([{ n: count + 1 }])
  expect(gauges().notifications - notifications).toBe(1)
  expect([(await me(service, ada)).status, (await me(service, admin)).status]).toEqual([401, 200])
})

/** All texts in a JSON value that are times. */
function timesIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\d[T ]/.test(value) ? [value] : []
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(timesIn) : []
}

const json = async (answer: Promise<Response>) => (await (await answer).json()) as Record<string, unknown>

async function story({ request, baseUrl, createSignedIn }: TestService): Promise<Record<string, unknown>[]> {
  const { token } = await createSignedIn('admin')
  const headers = { origin: baseUrl }
  const email = `${randomUUID()}@example.com`
  const signedUp = await json(request('/api/auth/sign-up/email', { headers, json: { email, password, name: 'Ada' } }))
  const { id } = signedUp['user'] as { id: string }
  const since = new Date(Date.now() - 60_000).toISOString()
  return [
    signedUp,
    await json(request(`/api/v1/users/${id}`, { token })),
    await json(request(`/api/v1/users/${id}/sessions`, { token })),
    await json(request(`/api/v1/users?createdAfter=${since}&email=${email}`, { token })),
  ]
}

test('R-44 neither the time zone of the database nor that of the process is in anything', async () => {
  const { TZ } = process.env
  process.env['TZ'] = 'America/St_Johns'
  onTestFinished(() => {
    if (TZ === undefined) delete process.env['TZ']
    else process.env['TZ'] = TZ
  })
  expect(new Date(0).getTimezoneOffset()).toBe(210)
  const service = await startOn(await emptyDatabase(server))
  expect((await sql`show timezone`.execute(service.db)).rows).toEqual([{ TimeZone: 'Pacific/Kiritimati' }])

  const answers = await story(service)
  const times = answers.flatMap(timesIn)
  expect(times.length).toBeGreaterThan(8)
  expect(times.filter((time) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time))).toEqual([])
  // Now, or the end of a session.
  const minutes = times.map((time) => (Date.parse(time) - Date.now()) / 60_000)
  expect(minutes.filter((minute) => Math.abs(minute) > 2 && minute < 60)).toEqual([])
  expect(answers[3]?.['data']).toHaveLength(1)

  const [admin, eve] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const expiresAt = '2039-03-27T01:30:00.000Z'
  const banned = await json(service.request(`/api/v1/users/${eve.id}/ban`, { token: admin.token, json: { expiresAt } }))
  expect(timesIn(banned)).toContain(expiresAt)
  expect((await me(service, eve)).status).toBe(401)
})
