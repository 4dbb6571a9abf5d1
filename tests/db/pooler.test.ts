import { describe, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, directUrl, startService, type TestDatabase } from '../support/harness.ts'
import { onDatabase, patient, startPooler } from '../support/listening.ts'
import { lacksPgbouncer } from '../support/pgbouncer.ts'

const server = process.env['TEST_DATABASE_URL'] ?? ''

/** A database to which all ways lead through PgBouncer in transaction mode. */
async function pooledOnly(variables: string[], ignored?: string[]): Promise<TestDatabase> {
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const pooled = (await startPooler(server, ignored))(directUrl(env))
  return { env: Object.fromEntries(variables.map((name) => [name, pooled])), remove }
}

describe.skipIf(!server || lacksPgbouncer)('R-09 behind PgBouncer (needs TEST_DATABASE_URL and pgbouncer)', () => {
  test.each([[['DATABASE_URL']], [['DATABASE_URL', 'DIRECT_URL']]])(
    'a service with %s does not start, and says what to set',
    async (variables) => {
      const database = await pooledOnly(variables)

      await expect(startService({ database })).rejects.toThrow('Set DIRECT_URL to lead past the pooler')
    },
  )

  test('where the pooler lets it start, a line says what is wrong, and every request is decided by the database', async () => {
    const database = await pooledOnly(['DATABASE_URL'], ['lock_timeout', 'statement_timeout'])
    const service = await startService({ database })
    onTestFinished(() => service.stop())
    const lines = () => service.logLines().filter((line) => line.includes('authority is read at each request'))
    await expect.poll(lines, patient).toHaveLength(1)
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({
      level: 40,
      msg: expect.stringContaining('set DIRECT_URL past it') as string,
      authority: { size: 0, notifications: 0 },
    })

    const { request } = service
    const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]
    const whoami = async () => (await request('/api/v1/auth/me', { token: ada.token })).status
    for (let round = 0; round < 5; round++) {
      expect(await whoami()).toBe(200)
      expect((await request(`/api/v1/users/${ada.id}/ban`, { method: 'POST', token: admin.token })).status).toBe(200)
      expect(await whoami()).toBe(401)
      expect((await request(`/api/v1/users/${ada.id}/ban`, { method: 'DELETE', token: admin.token })).status).toBe(200)
      ada.token = (await service.signIn(ada)).token
    }
    expect(service.services.authority.gauges()).toMatchObject({ size: 0, hits: 0 })
    expect(lines()).toHaveLength(1)
  })

  test('what a request locks or sets is left to nobody who gets its connection next', async () => {
    const { env, remove } = await createTestDatabase()
    onTestFinished(remove)
    const direct = directUrl(env)
    const pooled = (await startPooler(server))(direct)
    const service = await startService({ database: { env: { DATABASE_URL: pooled, DIRECT_URL: direct }, remove } })
    onTestFinished(() => service.stop())
    const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]

    const ban = await service.request(`/api/v1/users/${ada.id}/ban`, { method: 'POST', token: admin.token })

    expect(ban.status).toBe(200)
    const locks = `select pid from pg_locks join pg_database on oid = database
      where locktype = 'advisory' and datname = current_database()`
    await expect.poll(() => onDatabase(direct, locks), patient).toEqual([])
    // As many at once as there are connections to the server.
    const set = `select coalesce(current_setting('latchkey.audit', true), ''), pg_sleep(0.5)`
    const found = await Promise.all(Array.from({ length: 4 }, () => onDatabase(pooled, set)))
    expect(found).toEqual([[''], [''], [''], ['']])
  })
})
