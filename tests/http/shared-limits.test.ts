import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, startService, type TestService } from '../support/harness.ts'

/** Two instances on one database, of which all clients may make ten requests a minute. */
async function startTwo(): Promise<[TestService, TestService]> {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const start = async () => {
    const service = await startService({
      env: { RATE_LIMIT: '10', BETTER_AUTH_URL: 'http://localhost:3000' },
      database,
    })
    onTestFinished(() => service.stop())
    return service
  }
  return [await start(), await start()]
}

const ask = async (service: TestService, times: number) => {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push((await service.request('/api/v1/auth/me')).status)
  return statuses
}

const allowed = (times: number) => Array.from({ length: times }, () => 401)

describe.skipIf(!onPostgres)('two instances (need PostgreSQL)', () => {
  test('a client that has used its requests up at one is refused at the other', async () => {
    const [one, other] = await startTwo()
    expect(await ask(one, 11)).toEqual([...allowed(10), 429])
    const counted = () => one.db.selectFrom('request_count').select(['key', 'requests']).execute()
    await expect.poll(counted, { timeout: 10_000 }).toEqual([{ key: 'all|127.0.0.1', requests: 10 }])

    // It learns that once it has something to tell itself.
    expect(await ask(other, 1)).toEqual([401])
    await expect.poll(() => ask(other, 1), { timeout: 10_000 }).toEqual([429])
    const refused = await other.request('/api/v1/auth/me')
    expect(refused.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/)
    expect(await ask(one, 1)).toEqual([429])
  })

  test('B-05 they share the limits of /api/auth, too', async () => {
    const [one, other] = await startTwo()
    const signIn = async (service: TestService) => {
      const json = { email: 'nobody@example.com', password: 'correct horse battery' }
      const response = await service.request('/api/auth/sign-in/email', {
        json,
        headers: { origin: 'http://localhost:3000' },
      })
      return response.status
    }

    expect([await signIn(one), await signIn(other), await signIn(one), await signIn(other)]).toEqual([
      401, 401, 401, 429,
    ])
  })

  test('B-12 without the database each holds clients to the limit by itself, and says so once', async () => {
    const [one, other] = await startTwo()
    await sql`alter table request_count rename to hidden`.execute(one.db)

    expect(await ask(one, 11)).toEqual([...allowed(10), 429])
    await expect.poll(() => one.logLines().join(), { timeout: 10_000 }).toContain('rate limits are not shared')
    expect(await ask(other, 11)).toEqual([...allowed(10), 429])

    await sql`alter table hidden rename to request_count`.execute(one.db)
    await expect.poll(() => one.logLines().join(), { timeout: 10_000 }).toContain('rate limits are shared again')
    expect(one.logLines().filter((line) => line.includes('rate limits are not shared'))).toHaveLength(1)
  })

  test('a limit that cannot be told keeps none of the others from being told', async () => {
    const [one] = await startTwo()
    await sql`alter table request_count add constraint refused check (key not like 'all|%')`.execute(one.db)

    expect(await ask(one, 1)).toEqual(allowed(1))
    await one.request('/setup')

    const counted = () => one.db.selectFrom('request_count').select(['key', 'requests']).execute()
    await expect.poll(counted, { timeout: 10_000 }).toEqual([{ key: 'setup|127.0.0.1', requests: 1 }])
    await expect.poll(() => one.logLines().join(), { timeout: 10_000 }).toContain('rate limits are not shared')
  })

  test('what was counted last is told before an instance ends', async () => {
    const [one, other] = await startTwo()

    expect(await ask(one, 10)).toEqual(allowed(10))
    await one.stop()

    const counted = await other.db.selectFrom('request_count').select(['key', 'requests']).execute()
    expect(counted).toEqual([{ key: 'all|127.0.0.1', requests: 10 }])
  })
})
