import { randomInt, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { UserFilter, UserSort } from '../../src/users/user-conditions.queries.ts'
import { mostLookedAt } from '../../src/users/user-ways.queries.ts'
import { listUsers } from '../../src/users/users-list.queries.ts'
import { onPostgres } from '../support/database-template.ts'
import { generated, isMatch, startServiceOfMany } from '../support/many-users.ts'
import { plansOf, readBy } from '../support/plans.ts'

const count = onPostgres ? 200_000 : 60_000
const sorts: UserSort[] = ['createdAt', '-createdAt', 'email', '-email', 'name', '-name']
const page = { after: undefined, limit: 26 }

const { service, everybody } = await startServiceOfMany(count)

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

describe(`the pages of GET /users, of ${count} users`, () => {
  test.each<[string, UserFilter, UserSort]>([
    ['few', { q: 'beeblebrox' }, '-name'],
    ['some that are met now and then', { provider: 'github' }, 'email'],
    ['some that the newest are none of', { q: 'oldcorp' }, '-createdAt'],
    ['some of a role', { role: 'moderator', emailVerified: true }, 'createdAt'],
    ['what is too short for an index', { q: 'qj' }, 'name'],
    ['what is too short, from the end', { q: 'qj' }, '-createdAt'],
    ['the banned', { banned: true }, 'name'],
    ['what has the letters that all have, in another order', { q: 'com.example' }, 'email'],
    ['two filters of many', { provider: 'google', emailVerified: true, banned: true }, '-createdAt'],
  ])('hold each of %s once', async (_, filter, sort) => {
    const expected = everybody.filter((user) => isMatch(user, filter)).map(({ id }) => id)

    expect((await walkAll(filter, sort)).toSorted()).toEqual(expected.toSorted())
  })

  test('are not held up by a search that no index helps, which goes on from where it broke off', async () => {
    for (const sort of ['createdAt', '-createdAt', 'email', 'name'] as const) {
      const plans = await plansOf(service.db, (watched) => listUsers(watched, { q: '€' }, { ...page, sort }))
      const { rows, brokenOffAt } = await listUsers(service.db, { q: '€' }, { ...page, sort })

      expect(readBy(plans)).toBeLessThanOrEqual(2 * mostLookedAt)
      expect(rows).toEqual([])
      expect(brokenOffAt).toBeDefined()
    }
    const { brokenOffAt } = await listUsers(service.db, { q: '€' }, { ...page, sort: 'createdAt' })
    const last = generated(mostLookedAt)
    expect(brokenOffAt).toEqual([last.createdAt.getTime(), last.id])
  })

  test.skipIf(!onPostgres)('nor by a filter of many who are all far away (needs TEST_DATABASE_URL)', async () => {
    const filter = { provider: 'apple' }
    const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort: 'createdAt' }))

    expect(readBy(plans)).toBeLessThanOrEqual(3 * 500)
    expect(await walkAll(filter, 'createdAt')).toEqual(
      everybody.filter((user) => isMatch(user, filter)).map(({ id }) => id),
    )
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
