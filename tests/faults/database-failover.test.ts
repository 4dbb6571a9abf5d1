import { expect, onTestFinished, test } from 'vitest'
import { me, mixedCalls } from '../support/database-load.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { onDatabase } from '../support/listening.ts'
import { startProxy } from '../support/tcp-proxy.ts'

const primary = await postgresForFile()

/** The URL of the database of the same name on another server. */
function sameOn(server: { url: string }, database: string): string {
  const url = new URL(server.url)
  url.pathname = new URL(database).pathname
  return url.href
}

test('R-52 a host that becomes a read-only standby is read from, and written to once it is promoted', async () => {
  const database = await emptyDatabase(primary)
  const proxy = await startProxy(database)
  onTestFinished(proxy.close)
  const service = await startOn(proxy.url(database))
  const { ada, admin, calls } = await mixedCalls(service)
  const standby = await postgresForFile({ standbyOf: primary.url })
  const eve = await service.createSignedIn()
  const replica = sameOn(standby, database)
  const known = async () => (await onDatabase(replica, `select 1 from "session" where id = '${eve.sessionId}'`)).length
  await expect.poll(known, { timeout: 10_000 }).toBe(1)

  proxy.lead(replica)
  await expect.poll(async () => (await me(service, ada)).status, { timeout: 5_000, interval: 20 }).toBe(200)
  const statuses = async () => {
    const answers: Record<string, number> = {}
    for (const [name, call] of Object.entries(calls)) answers[name] = (await call()).status
    return answers
  }
  const ban = () => service.request(`/api/v1/users/${eve.id}/ban`, { token: admin.token, json: {} })
  expect(await statuses()).toEqual({ me: 200, list: 200, session: 200, rename: 503, create: 503 })
  expect((await ban()).status).toBe(503)
  expect((await me(service, eve)).status).toBe(200)

  await primary.end('SIGQUIT')
  await onDatabase(standby.url, 'select pg_promote()')
  await expect.poll(async () => (await ban()).status, { timeout: 5_000, interval: 50 }).toBe(200)
  expect((await me(service, eve)).status).toBe(401)
  expect(await statuses()).toEqual({ me: 200, list: 200, session: 200, rename: 200, create: 201 })
  // Changes are heard of on the new one, too.
  await expect.poll(() => service.services.authority.gauges().heartbeatAge, { timeout: 10_000 }).toBeLessThan(2_000)
})
