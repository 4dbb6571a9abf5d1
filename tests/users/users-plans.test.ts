import { randomInt, randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { UserFilter, UserSort } from '../../src/users/user-conditions.queries.ts'
import { countUsers, farReach, listUsers } from '../../src/users/users-list.queries.ts'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, startService, type TestService } from '../support/harness.ts'
import { createMany, type GeneratedUser, generated } from '../support/many-users.ts'
import { type Plan, plansOf } from '../support/plans.ts'

const count = onPostgres ? 200_000 : 60_000
const sorts: UserSort[] = onPostgres
  ? ['createdAt', '-createdAt', 'email', '-email', 'name', '-name']
  : ['-createdAt', 'name']
const limit = 26
const page = { after: undefined, limit }
const early = generated(count / 100).createdAt
const late = generated(count - count / 100).createdAt

let service: TestService
let everybody: GeneratedUser[]

beforeAll(async () => {
  const database = await createTestDatabase()
  await createMany(database, count)
  service = await startService({ database })
  everybody = Array.from({ length: count }, (_, n) => generated(n + 1))
  return async () => {
    await service.stop()
    await database.remove()
  }
}, 180_000)

function isMatch(user: GeneratedUser, filter: UserFilter): boolean {
  const { q = '', email, role, banned, emailVerified, provider, createdAfter, createdBefore } = filter
  return (
    `${user.email}\n${user.name}`.toLowerCase().includes(q.toLowerCase()) &&
    (email ?? user.email) === user.email &&
    (role ?? user.role) === user.role &&
    (banned ?? user.banned) === user.banned &&
    (emailVerified ?? user.emailVerified) === user.emailVerified &&
    (provider ?? user.provider) === user.provider &&
    user.createdAt > (createdAfter ?? new Date(0)) &&
    user.createdAt < (createdBefore ?? new Date())
  )
}

const matchesOf = (filter: UserFilter) => everybody.filter((user) => isMatch(user, filter))

/** Every user of a list, page by page; `between` runs before each page but the first. */
async function walkAll(
  filter: UserFilter,
  sort: UserSort,
  { limit = 100, between = async () => {} }: { limit?: number; between?: () => Promise<void> } = {},
): Promise<string[]> {
  const ids: string[] = []
  const query = new URLSearchParams({ sort, limit: String(limit) })
  for (const [name, value] of Object.entries(filter))
    query.set(name, value instanceof Date ? value.toISOString() : String(value))
  const admin = await service.createSignedIn('admin')
  for (;;) {
    const response = await service.request(`/api/v1/users?${query.toString()}`, { token: admin.token })
    const body = (await response.json()) as { data: { id: string }[]; page: { nextCursor: string | null } }
    ids.push(...body.data.map(({ id }) => id))
    const { nextCursor: cursor } = body.page
    if (cursor === null) return ids
    query.set('cursor', cursor)
    await between()
  }
}

const total = (plans: Plan[]) => plans.reduce((sum, { read }) => sum + read, 0)

const selective: [string, UserFilter][] = [
  ['a rare word', { q: 'BEEBLEbrox' }],
  ['a word that nobody has', { q: 'xylophone' }],
  ['a word of some names', { q: 'kira' }],
  ['a common word', { q: 'example' }],
  ['a word of the oldest alone', { q: 'oldcorp' }],
  ['one address', { email: generated(77).email }],
  ['an unknown address', { email: 'nobody@example.com' }],
  ['a role of few', { role: 'admin' }],
  ['a role of some', { role: 'moderator' }],
  ['a role of most', { role: 'user' }],
  ['the banned', { banned: true }],
  ['the not banned', { banned: false }],
  ['the verified', { emailVerified: true }],
  ['the not verified', { emailVerified: false }],
  ['a provider of few', { provider: 'github' }],
  ['a provider of many', { provider: 'google' }],
  ['a provider of nobody', { provider: 'myspace' }],
  ['the latest', { createdAfter: late }],
  ['the first', { createdBefore: early }],
  ['a time between', { createdAfter: early, createdBefore: generated(count / 50).createdAt }],
  ['two filters that exclude each other', { role: 'moderator', banned: true }],
  ['a role and a time', { role: 'moderator', createdAfter: late }],
  ['a word, a role and a flag', { q: 'ada', role: 'moderator', emailVerified: true }],
  ['a word of the banned', { q: 'hopper', banned: true }],
  ['a provider of few, and a role of most', { provider: 'github', role: 'user', emailVerified: true }],
  ['a word of those of a provider', { q: 'kira', provider: 'github' }],
  ['two letters of a role of few', { q: 'zz', role: 'admin' }],
]

describe(`the plans of GET /users, of ${count} users`, () => {
  test.each(sorts)('read a page, and a deep one, without reading another row, sorted by %s', async (sort) => {
    const middle = generated(count / 2)
    const { db } = service
    const first = await plansOf(db, (watched) => listUsers(watched, {}, { ...page, sort }))
    const value = sort.endsWith('createdAt')
      ? middle.createdAt.getTime()
      : sort.endsWith('email')
        ? middle.email
        : middle.name
    const deep = await plansOf(db, (watched) => listUsers(watched, {}, { sort, limit, after: [value, middle.id] }))

    for (const plans of [first, deep]) {
      expect(plans).toHaveLength(1)
      expect(plans[0]).toMatchObject({ sequential: [], read: limit })
    }
  })

  test.each<[string, UserFilter]>([
    ['role', { role: 'moderator' }],
    ['ban', { banned: true }],
    ['missing verification', { emailVerified: false }],
    ['time', { createdAfter: early, createdBefore: late }],
    ['role and time', { role: 'admin', createdBefore: late }],
  ])('read the newest of a %s by its own index', async (_, filter) => {
    const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort: '-createdAt' }))

    expect(plans).toHaveLength(1)
    expect(plans[0]?.sequential).toEqual([])
    // Every second ban has expired, and stays in the index.
    expect(plans[0]?.read).toBeLessThanOrEqual(2 * limit + 2)
  })

  describe.each(selective)('of %s', (_, filter) => {
    test.each(sorts)('sorted by %s read no table from end to end, and few rows that do not match', async (sort) => {
      const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort }))
      const matches = matchesOf(filter).length

      expect(plans.flatMap(({ sequential }) => sequential)).toEqual([])
      // Two walks, and what is gathered of few: twice as many of the banned, as every second ban has expired.
      expect(total(plans)).toBeLessThanOrEqual(11_000 + (matches > 40_000 ? 0 : 2 * matches))
    })

    test('count them exactly where they are few, without reading everybody', async () => {
      const matches = matchesOf(filter).length
      const result = await countUsers(service.db, filter)
      const plans = await plansOf(service.db, (watched) => countUsers(watched, filter))

      const estimate = { value: expect.toSatisfy((value: number) => value > 10_000) as number, relation: 'estimate' }
      expect(result).toEqual(matches <= 10_000 ? { value: matches, relation: 'eq' } : estimate)
      expect(total(plans)).toBeLessThanOrEqual(2 * farReach + 1)
    })
  })
})

describe(`the pages of GET /users, of ${count} users`, () => {
  test.each<[string, UserFilter, UserSort]>([
    ['few', { q: 'beeblebrox' }, '-name'],
    ['some that are met now and then', { provider: 'github' }, 'email'],
    ['some that the newest are none of', { q: 'oldcorp' }, '-createdAt'],
    ['some of a role', { role: 'moderator', emailVerified: true }, 'createdAt'],
    ['what is too short for an index', { q: 'qj' }, 'name'],
    ['what is too short, from the end', { q: 'qj' }, '-createdAt'],
    ['the banned', { banned: true }, 'name'],
  ])('hold each of %s once', async (_, filter, sort) => {
    const expected = matchesOf(filter).map(({ id }) => id)

    expect((await walkAll(filter, sort)).toSorted()).toEqual(expected.toSorted())
  })

  test('are not held up by a search that no index helps, which goes on from where it broke off', async () => {
    for (const sort of ['createdAt', '-createdAt', 'email', 'name'] as const) {
      const plans = await plansOf(service.db, (watched) => listUsers(watched, { q: '€' }, { ...page, sort }))
      const { rows, brokenOffAt } = await listUsers(service.db, { q: '€' }, { ...page, sort })

      expect(total(plans)).toBeLessThanOrEqual(1_000 + 2 * farReach)
      expect(rows).toEqual([])
      expect(brokenOffAt).toBeDefined()
    }
    const { brokenOffAt } = await listUsers(service.db, { q: '€' }, { ...page, sort: 'createdAt' })
    const last = generated(farReach)
    expect(brokenOffAt).toEqual([last.createdAt.getTime(), last.id])
  })

  test.skipIf(!onPostgres)('nor by a filter of many who are all far away (needs TEST_DATABASE_URL)', async () => {
    const filter = { provider: 'apple' }
    const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort: 'createdAt' }))

    expect(total(plans)).toBeLessThanOrEqual(1_000 + 2 * farReach)
    expect(await walkAll(filter, 'createdAt')).toEqual(matchesOf(filter).map(({ id }) => id))
  })

  test.each(onPostgres ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 3])(
    'skip and repeat nobody while users come and go between them (%i)',
    async () => {
      const tag = `zq${randomInt(1e9).toString(36)}`
      const filter = pick<UserFilter>([{ q: tag }, { q: tag, role: 'moderator' }, { q: 'zq' }])
      const [sort, limit] = [pick(sorts), randomInt(1, 9)]
      const made = await insertTagged(tag, 40)
      const gone = new Set<string>()
      const between = async () => {
        await insertTagged(tag, randomInt(3))
        const { id } = pick(made)
        await service.db.deleteFrom('user').where('id', '=', id).execute()
        gone.add(id)
      }

      const seen = await walkAll(filter, sort, { limit, between })

      const told = JSON.stringify({ filter, sort, limit })
      expect(new Set(seen).size, told).toBe(seen.length)
      const stayed = made.map(({ id }) => id).filter((id) => !gone.has(id))
      expect(
        stayed.filter((id) => !seen.includes(id)),
        told,
      ).toEqual([])
    },
  )
})

function pick<T>(values: T[]): T {
  return values[randomInt(values.length)] as T
}

/** Makes moderators anywhere in every order, many of them at one time or of one name. */
async function insertTagged(tag: string, n: number): Promise<{ id: string }[]> {
  const users = Array.from({ length: n }, () => ({
    id: randomUUID(),
    email: `${pick(['aa', 'mm', 'zz'])}-${randomUUID()}-${tag}@example.com`,
    name: pick(['Aaron', 'Mona', 'zoe', generated(randomInt(count)).name]),
    role: 'moderator',
    created_at: pick([
      generated(1).createdAt,
      generated(count).createdAt,
      generated(randomInt(count)).createdAt,
      new Date(),
    ]),
  }))
  if (n > 0) await service.db.insertInto('user').values(users).execute()
  return users
}
