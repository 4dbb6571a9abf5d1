import { sql } from 'kysely'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { databaseUrl, onServer } from '../support/database-template.ts'
import { createTestDatabase, directUrl, type SignedIn, startService, type TestService } from '../support/harness.ts'
import { listeners, onDatabase, startPooler } from '../support/listening.ts'
import { isNightly } from '../support/nightly.ts'
import { lacksPgbouncer } from '../support/pgbouncer.ts'
import { statusOf } from '../support/service-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const server = process.env['TEST_DATABASE_URL'] ?? ''

/** A service that is reached through `through`, if given, and whose migrations go straight to its database. */
async function start(through?: (url: string) => string): Promise<{ service: TestService; database: string }> {
  const { env, remove } = await createTestDatabase()
  const database = directUrl(env)
  const own = through ? { DATABASE_URL: through(database), DIRECT_URL: database } : env
  const service = await startService({ database: { env: own, remove } })
  onTestFinished(async () => {
    await service.stop()
    await remove()
  })
  return { service, database }
}

/** Ends every connection to a database, and returns how many there were. */
async function killBackends(database: string): Promise<number> {
  const client = new pg.Client(server)
  await client.connect()
  const { rowCount } = await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
    [new URL(database).pathname.slice(1)],
  )
  await client.end()
  return rowCount ?? 0
}

interface Answer {
  status: number
  type: unknown
  retryAfter: string | null
}

async function whoami({ request }: TestService, { token }: SignedIn): Promise<Answer> {
  const response = await request('/api/v1/auth/me', { token })
  const { type } = (await response.json()) as { type?: string }
  return { status: response.status, type, retryAfter: response.headers.get('retry-after') }
}

const unavailable = {
  status: 503,
  type: '/problems/dependency-unavailable',
  retryAfter: expect.stringMatching(/^\d+$/) as string,
}

describe.skipIf(!server)('on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  test('R-04 connections killed while idle fail at most one request, with 503', async () => {
    const { service, database } = await start()
    const ada = await service.createSignedIn()
    await Promise.all(Array.from({ length: 20 }, () => whoami(service, ada)))

    for (let round = 0; round < 5; round++) {
      expect(await killBackends(database)).toBeGreaterThan(0)
      const answers: Answer[] = []
      for (let i = 0; i < 10; i++) answers.push(await whoami(service, ada))

      const failed = answers.filter(({ status }) => status !== 200)
      expect(failed.length).toBeLessThanOrEqual(1)
      expect(failed).toEqual(failed.map(() => unavailable))
    }
  })

  test('R-04 connections killed under load fail at most one request each, with 503', async () => {
    const { service, database } = await start()
    const ada = await service.createSignedIn()
    const answers: Answer[] = []
    let done = false
    const client = async () => {
      while (!done) answers.push(await whoami(service, ada))
    }
    const load = Promise.all(Array.from({ length: 8 }, client))

    let killed = 0
    for (let round = 1; round <= 5; round++) {
      await expect.poll(() => answers.length, { timeout: 10_000 }).toBeGreaterThan(round * 50)
      killed += await killBackends(database)
    }
    done = true
    await load

    const failed = answers.filter(({ status }) => status !== 200)
    expect(failed.length).toBeLessThanOrEqual(killed)
    expect(failed).toEqual(failed.map(() => unavailable))
    expect(await whoami(service, ada)).toMatchObject({ status: 200 })
  })

  test('R-05 a database that hangs is answered with 503 once nothing was heard of it, and used again when it is back', async () => {
    const proxy = await startProxy(server)
    onTestFinished(proxy.close)
    const { service } = await start(proxy.url)
    const ada = await service.createSignedIn()
    expect(await whoami(service, ada)).toMatchObject({ status: 200 })

    proxy.freeze()
    // Until then who has which authority is in memory, and known to be right.
    await expect.poll(() => service.services.authority.gauges().heartbeatAge, { timeout: 5_000 }).toBeGreaterThan(2_000)
    const startedAt = performance.now()
    // More requests than connections: those that get none must not wait longer.
    const answers = await Promise.all(Array.from({ length: 25 }, () => whoami(service, ada)))
    expect(performance.now() - startedAt).toBeLessThan(7_000)
    expect(answers).toEqual(answers.map(() => unavailable))
    expect(await statusOf(`${service.url}/health`)).toBe(200)
    expect(await statusOf(`${service.url}/health/db`)).toBe(503)

    proxy.thaw()
    await expect.poll(async () => (await whoami(service, ada)).status, { timeout: 5_000 }).toBe(200)
  }, 40_000)

  test('R-02 a database that is gone is answered with 503 at once, and used again when it is back', async () => {
    const port = await freePort()
    const first = await startProxy(server, port)
    const { service } = await start(first.url)
    const ada = await service.createSignedIn()

    await first.close()
    const startedAt = performance.now()
    for (let i = 0; i < 3; i++) expect(await whoami(service, ada)).toEqual(unavailable)
    // Waiting for three connect timeouts would take six seconds.
    expect(performance.now() - startedAt).toBeLessThan(5_000)

    const second = await startProxy(server, port)
    onTestFinished(second.close)
    await expect.poll(async () => (await whoami(service, ada)).status, { timeout: 5_000 }).toBe(200)
  })

  // The long form does it fifty times over.
  test.each(Array.from({ length: isNightly ? 50 : 1 }, (_, i) => i + 1))(
    'R-10 ten services that start at once on an empty database are all ready, with one schema, key and admin (%i)',
    async (round) => {
      const name = `latchkey_ten_${process.pid}_${round}`
      await onServer(server, `create database ${name}`)
      const env = {
        BETTER_AUTH_URL: 'http://localhost:3998',
        ADMIN_EMAIL: 'root@example.com',
        ADMIN_PASSWORD: 'correct horse battery',
      }
      const database = { env: { DATABASE_URL: databaseUrl(server, name) }, remove: async () => {} }
      const started = await Promise.allSettled(Array.from({ length: 10 }, () => startService({ database, env })))
      const services = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      onTestFinished(async () => {
        await Promise.all(services.map(({ stop }) => stop()))
        await onServer(server, `drop database ${name} with (force)`)
      })

      expect(services).toHaveLength(10)
      const [{ db, createSignedIn }] = services as [TestService]
      expect(await db.selectFrom('jwks').select('id').execute()).toHaveLength(1)
      expect(await db.selectFrom('user').select('email').execute()).toEqual([{ email: 'root@example.com' }])
      const ada = await createSignedIn()
      for (const { request } of services) {
        expect((await request('/health/db')).status).toBe(200)
        expect((await request('/api/v1/auth/me', { token: ada.token })).status).toBe(200)
      }
    },
  )

  test('a key that somebody else deletes stops verifying as soon as that is told', async () => {
    const { service, database } = await start()
    const ada = await service.createSignedIn()
    expect(await whoami(service, ada)).toMatchObject({ status: 200 })

    await onDatabase(database, 'delete from jwks')
    await expect.poll(() => whoami(service, ada), { timeout: 2_500, interval: 20 }).toMatchObject({ status: 401 })
  })

  test('R-20 a key that is deleted while nothing is heard stops verifying once all is heard again, as the log says', async () => {
    const { service, database } = await start()
    const ada = await service.createSignedIn()
    expect(await whoami(service, ada)).toMatchObject({ status: 200 })
    const said = () =>
      service.logLines().flatMap((line) => /changes (?:of authority )?are (?:not )?heard of/.exec(line)?.[0] ?? [])
    expect(said()).toEqual([])

    // In one statement: what is deleted is told while nobody listens.
    await onDatabase(
      database,
      `delete from jwks where (select count(killed) from (select pg_terminate_backend(pid) as killed ${listeners}) as backends) = 1`,
    )
    await expect
      .poll(said, { timeout: 10_000 })
      .toEqual(['changes are not heard of', 'changes of authority are heard of'])
    expect(await whoami(service, ada)).toMatchObject({ status: 401 })
  })

  test('R-39 a URL that demands TLS is never served in plain text', async () => {
    const url = `${server}?sslmode=verify-full`
    const { db, close } = await openDatabase({ kind: 'postgres', url, limits: 'request', onError: () => {} })
    onTestFinished(close)

    await expect(sql`select 1`.execute(db)).rejects.toThrow('The server does not support SSL connections')
  })

  test.skipIf(lacksPgbouncer)('R-09 it works through PgBouncer in transaction mode (needs pgbouncer)', async () => {
    const pooler = await startPooler(server)
    const { service } = await start(pooler)
    const { request } = service
    const admin = await service.createSignedIn('admin')
    const members = await Promise.all(Array.from({ length: 10 }, () => service.createSignedIn()))
    const [ada] = members as [SignedIn]

    // Many at once, so that transactions of one client meet different connections of the server.
    const answers = await Promise.all(members.flatMap((member) => [whoami(service, member), whoami(service, member)]))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const signedUp = await request('/api/auth/sign-up/email', {
      headers: { origin: service.baseUrl },
      json: { email: 'new@example.com', password: 'correct horse battery', name: 'New' },
    })
    expect(signedUp.status).toBe(200)
    const page = await request('/api/v1/users?q=new%40example&include=total', { token: admin.token })
    expect(await page.json()).toMatchObject({
      data: [{ email: 'new@example.com' }],
      total: { value: 1, relation: 'eq' },
    })
    const banned = await request(`/api/v1/users/${ada.id}/ban`, { method: 'POST', token: admin.token })
    expect(banned.status).toBe(200)
    expect(await whoami(service, ada)).toMatchObject({ status: 401, type: '/problems/banned' })
    expect(await statusOf(`${service.url}/health/db`)).toBe(200)
  })
})
