import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl, password, startService, type TestService } from '../support/harness.ts'
import {
  createGuesser,
  inTurn,
  limited,
  mistaken,
  type Outcome,
  refused,
  right,
  times,
  wrong,
} from '../support/password-attempts.ts'

/** Instances on one database. */
async function startInstances(count: number): Promise<TestService[]> {
  const database = await createTestDatabase()
  onTestFinished(database.remove)
  const instances: TestService[] = []
  for (let n = 0; n < count; n++) {
    const env = { ...limited, BETTER_AUTH_URL: 'http://localhost:3000' }
    const instance = await startService({ env, database })
    onTestFinished(() => instance.stop())
    instances.push(instance)
  }
  return instances
}

type Guesser = ReturnType<typeof createGuesser>

/** Tries an account at many instances at once, and then one by one until it is refused. */
async function storm(guessers: Guesser[], email: string, each: number): Promise<Outcome[]> {
  const attempts = guessers.flatMap(({ signIn }) => times(each, () => signIn(email, wrong)))
  const outcomes = await Promise.all(attempts.map((attempt) => attempt()))
  const [first] = guessers as [Guesser]
  // On a busy machine there is no time for some: those do not count, and are left to be tried.
  while (!isRefused(outcomes.at(-1)) && outcomes.length < 100) outcomes.push(await first.signIn(email, wrong))
  return outcomes
}

const isRefused = (outcome: Outcome | undefined) => outcome?.status === refused.status

/** Locks what was counted of all accounts. */
async function hold({ env }: TestService, statement: string) {
  const client = new pg.Client(directUrl(env))
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin')
  await client.query(statement)
  return {
    async waiting() {
      // Within a transaction it stays as it was first seen.
      await client.query('select pg_stat_clear_snapshot()')
      const { rows } = await client.query<{ count: string }>(
        `select count(*) from pg_locks join pg_stat_activity using (pid) where not granted and query like '%password_attempt%'`,
      )
      return Number(rows[0]?.count)
    },
    release: () => client.query('rollback'),
  }
}

describe('B-08 of the passwords that come for one account at once', () => {
  // The embedded database has one instance.
  test.each(onPostgres ? [1, 3] : [1])('at %d instances, ten are hashed', async (count) => {
    const guessers = (await startInstances(count)).map(createGuesser)
    const [first] = guessers as [Guesser]
    const { email } = await first.createOwner()
    const counters = await Promise.all(guessers.map((guesser) => guesser.countHashed()))

    const outcomes = await storm(guessers, email, 60 / count)

    expect(outcomes.filter(({ status }) => status === 401)).toEqual(times(10, mistaken))
    expect(outcomes.filter(isRefused)).toEqual(outcomes.filter(isRefused).map(() => refused))
    expect(counters.reduce((sum, hashed) => sum + hashed(), 0)).toBe(10)
    for (const { signIn } of guessers) expect(await signIn(email, password)).toEqual(refused)
  })

  test.runIf(onPostgres)('ten are hashed, though all have seen that there were attempts left', async () => {
    const instances = await startInstances(3)
    const guessers = instances.map(createGuesser)
    const [first] = guessers as [Guesser]
    const { email } = await first.createOwner()
    expect(await inTurn(5, () => first.signIn(email, wrong))).toEqual(times(5, mistaken))
    const held = await hold(instances[0] as TestService, 'select from password_attempt for update')

    const storming = storm(guessers, email, 6)
    await expect.poll(held.waiting, { timeout: 10_000, interval: 20 }).toBeGreaterThan(5)
    await held.release()

    const outcomes = await storming
    expect(outcomes.filter(({ status }) => status === 401)).toEqual(times(5, mistaken))
    expect(outcomes.filter(isRefused).length).toBeGreaterThan(0)
  })
})

describe.skipIf(!onPostgres)('B-12 while attempts cannot be counted (needs PostgreSQL)', () => {
  test('no password is hashed, and sessions go on', async () => {
    const [service] = (await startInstances(1)) as [TestService]
    const { createOwner, signIn, countHashed } = createGuesser(service)
    const owner = await createOwner()
    const { token, cookie } = await service.signIn(owner)
    const held = await hold(service, 'lock table password_attempt in access exclusive mode')
    const hashed = await countHashed()

    const unavailable = { status: 503, code: 'DEPENDENCY_UNAVAILABLE', retryAfter: '1' }
    expect(await signIn(owner.email, password)).toEqual(unavailable)
    expect(await signIn(owner.email, wrong)).toEqual(unavailable)
    const left = await service.request('/api/auth/delete-user', { cookie, json: { password } })
    expect(left.status).toBe(503)
    expect(hashed()).toBe(0)
    expect((await service.request('/api/v1/auth/me', { token })).status).toBe(200)

    await held.release()
    expect(await signIn(owner.email, password)).toEqual(right)
  })
})
