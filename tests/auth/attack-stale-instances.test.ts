import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createDoors, type Doors } from '../support/doors.ts'
import {
  createTestDatabase,
  directUrl,
  type SignedIn,
  startService,
  type TestDatabase,
  type TestService,
} from '../support/harness.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** A service with a way to the database of its own, and another on which it listens. */
interface Instance extends TestService {
  pool: TcpProxy
  listener: TcpProxy
}

const patient = { timeout: 20_000, interval: 20 }

describe.skipIf(!onPostgres)('three instances on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  let database: TestDatabase
  let instances: Instance[]
  let doors: Doors
  let admin: SignedIn

  beforeAll(async () => {
    database = await createTestDatabase()
    instances = []
    for (let n = 0; n < 3; n++) instances.push(await startInstance(database))
    const [first] = instances as [Instance]
    doors = await createDoors(first)
    admin = await first.createSignedIn('admin')
  })
  afterAll(async () => {
    for (const instance of instances) {
      await instance.stop()
      await Promise.all([instance.pool.close(), instance.listener.close()])
    }
    await database.remove()
  })
  beforeEach(async () => {
    for (const { pool, listener } of instances) {
      for (const proxy of [pool, listener]) {
        proxy.thaw()
        proxy.delay(0)
      }
    }
    await vi.waitUntil(() => instances.every(isTrusting), patient)
  })

  /** Makes sure that all instances have somebody in memory. */
  async function warm(user: SignedIn): Promise<void> {
    for (const instance of instances) {
      const isRemembered = async () => {
        const { hits } = instance.services.authority.gauges()
        expect(await statusOf(instance, user)).toBe(200)
        return instance.services.authority.gauges().hits > hits
      }
      await expect.poll(isRemembered, patient).toBe(true)
    }
  }

  const bySelf: [name: string, end: (user: SignedIn) => Promise<{ status: number }>][] = [
    ['A-02 a ban', ({ id }) => doors.v1(admin, 'POST', `/users/${id}/ban`)],
    ['A-07 a revocation by an admin', ({ id }) => doors.v1(admin, 'DELETE', `/users/${id}/sessions`)],
    ['A-01 a sign-out', (user) => doors.auth(user, '/sign-out')],
    ['A-03 a deletion', ({ id }) => doors.v1(admin, 'DELETE', `/users/${id}`)],
  ]

  test.each(bySelf)('%s on one is refused there on the next request, and soon on the others', async (_what, end) => {
    const [first, second, third] = instances as [Instance, Instance, Instance]
    const [user, other] = [await doors.createMember(), await doors.createMember()]
    await warm(user)
    await warm(other)
    expect((await end(user)).status).toBeLessThan(300)
    expect(await statusOf(first, user)).toBe(401)
    for (const instance of [second, third]) await expect.poll(() => statusOf(instance, user), patient).toBe(401)
    await warm(other)
  })

  test('A-05, A-11 a role that is given or taken on one soon decides on the others', async () => {
    const user = await doors.createMember()
    const mayList = (instance: Instance) => instance.request('/api/v1/users', { token: user.token })
    for (const [role, status] of [
      ['moderator', 200],
      ['user', 403],
    ] as const) {
      await warm(user)
      await doors.v1(admin, 'PUT', `/users/${user.id}/role`, { role })
      for (const instance of instances) {
        await expect.poll(async () => (await mayList(instance)).status, patient).toBe(status)
      }
    }
  })

  const troubles: [name: string, trouble: (proxy: TcpProxy) => void][] = [
    ['cut', (proxy) => proxy.cut()],
    ['lost', (proxy) => proxy.freeze()],
    ['slow', (proxy) => proxy.delay(700)],
  ]

  test.each(troubles)(
    'A-22 while the way of one to hear of changes is %s, it accepts nobody who is over for two seconds, and misses nothing',
    async (_what, trouble) => {
      const [, second] = instances as [Instance, Instance]
      const users = await Promise.all(Array.from({ length: 4 }, () => doors.createMember()))
      const [banned, away, renamed, other] = users as [SignedIn, SignedIn, SignedIn, SignedIn]
      for (const user of users) await warm(user)
      const watch = watchStatuses(second, other)
      const refusals = async () => [await statusOf(second, banned), await statusOf(second, away)]
      trouble(second.listener)
      expect((await doors.v1(admin, 'POST', `/users/${banned.id}/ban`)).status).toBe(200)
      expect((await doors.auth(away, '/sign-out')).status).toBe(200)
      expect((await doors.v1(renamed, 'PATCH', '/users/me', { name: 'Augusta' })).status).toBe(200)
      await pause(2_100)
      for (let n = 0; n < 20; n++) expect(await refusals()).toEqual([401, 401])

      second.listener.thaw()
      second.listener.delay(0)
      await vi.waitUntil(() => isTrusting(second), { ...patient, interval: 1 })
      expect(await refusals()).toEqual([401, 401])
      const answer = await second.request('/api/v1/auth/me', { token: renamed.token })
      expect(await answer.json()).toMatchObject({ name: 'Augusta' })
      // Its database was there all the time: nobody else was touched.
      expect(await watch.end()).toEqual(new Set([200]))
      await warm(renamed)
    },
  )

  test('A-23 while the database itself cannot be reached nobody is accepted from memory for long, and nobody refused', async () => {
    const [, second, third] = instances as [Instance, Instance, Instance]
    const [user, other] = [await doors.createMember(), await doors.createMember()]
    await warm(user)
    await warm(other)
    const watch = watchStatuses(second, other)
    second.listener.cut()
    second.pool.cut()
    expect((await doors.v1(admin, 'POST', `/users/${user.id}/ban`)).status).toBe(200)
    await pause(2_100)
    for (let n = 0; n < 10; n++) expect(await statusOf(second, user)).toBe(503)
    await expect.poll(() => statusOf(third, user), patient).toBe(401)

    second.pool.thaw()
    second.listener.thaw()
    await expect.poll(() => statusOf(second, other), patient).toBe(200)
    expect(await statusOf(second, user)).toBe(401)
    expect([...(await watch.end())].sort()).toEqual([200, 503])
    await warm(other)
  })
})

async function startInstance({ env }: TestDatabase): Promise<Instance> {
  const url = directUrl(env)
  const [pool, listener] = [await startProxy(url), await startProxy(url)]
  const own = { DATABASE_URL: pool.url(url), DIRECT_URL: listener.url(url), BETTER_AUTH_URL: 'http://localhost:3997' }
  const service = await startService({ database: { env: own, remove: async () => {} } })
  return { ...service, pool, listener }
}

/** Whether it answers from memory. */
function isTrusting({ services }: Instance): boolean {
  return services.authority.gauges().heartbeatAge <= 2_000
}

async function statusOf({ request }: Instance, { token }: SignedIn): Promise<number> {
  return (await request('/api/v1/auth/me', { token })).status
}

/** Asks on behalf of somebody again and again. @returns `end` tells how that was answered */
function watchStatuses(instance: Instance, user: SignedIn) {
  const [statuses, ending] = [new Set<number>(), new AbortController()]
  const watching = (async () => {
    while (!ending.signal.aborted) {
      statuses.add(await statusOf(instance, user))
      await pause(10)
    }
  })()
  return {
    async end() {
      ending.abort()
      await watching
      return statuses
    },
  }
}
