import { describe, expect, test } from 'vitest'
import type { Db } from '../../src/db/database.ts'
import type { UserFilter, UserSort } from '../../src/users/user-conditions.queries.ts'
import { mostLookedAt } from '../../src/users/user-ways.queries.ts'
import { countUsers, listUsers } from '../../src/users/users-list.queries.ts'
import { onPostgres } from '../support/database-template.ts'
import { generated, isMatch, startServiceOfMany } from '../support/many-users.ts'
import { plansOf, readBy } from '../support/plans.ts'

const count = onPostgres ? 200_000 : 60_000
const sorts: UserSort[] = onPostgres
  ? ['createdAt', '-createdAt', 'email', '-email', 'name', '-name']
  : ['-createdAt', 'name']
const limit = 26
const page = { after: undefined, limit }
const early = generated(count / 100).createdAt
const late = generated(count - count / 100).createdAt

const { service, everybody } = await startServiceOfMany(count)

const matchesOf = (filter: UserFilter) => everybody.filter((user) => isMatch(user, filter)).length

/** How many users, at least, an index leads to for a filter: its best one. A search by all trigrams is no better. */
function fewestOf({
  q,
  role,
  banned,
  emailVerified,
  provider,
  createdAfter,
  createdBefore,
  email,
}: UserFilter): number {
  const times = { createdAfter, createdBefore }
  const parts = q?.match(/(?=([a-z\d]{3}))/gi)
    ? [...q.matchAll(/(?=([a-z\d]{3}))/gi)].map(([, part]) => ({ q: part }))
    : []
  const filters: UserFilter[] = [
    times,
    ...parts,
    ...(email === undefined ? [] : [{ email }]),
    ...(role === undefined ? [] : [{ role, ...times }]),
    ...(emailVerified === false ? [{ emailVerified, ...times }] : []),
    ...(provider === undefined ? [] : [{ provider }]),
  ]
  // Every second ban has expired, and stays in the index.
  return Math.min(...filters.map(matchesOf), ...(banned ? [2 * matchesOf({ banned, ...times })] : []))
}

const selective: [string, UserFilter][] = [
  ['a rare word', { q: 'BEEBLEbrox' }],
  ['a word that nobody has', { q: 'xylophone' }],
  ['a word of some names', { q: 'kira' }],
  ['a common word', { q: 'example' }],
  ['a word of the oldest alone', { q: 'oldcorp' }],
  ['a word that everybody has, and another after it', { q: 'com.example' }],
  ['two words that stand together, the other way round', { q: 'com.oldcorp' }],
  ['a word twice', { q: 'turing-TURING' }],
  ['one address', { email: generated(77).email }],
  ['an unknown address', { email: 'nobody@example.com' }],
  ['one address, and a provider of many', { email: generated(77).email, provider: 'google' }],
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
  ['two of many that exclude each other', { provider: 'google', createdAfter: generated(9).createdAt, q: 'github' }],
  ['a role and a time', { role: 'moderator', createdAfter: late }],
  ['a word, a role and a flag', { q: 'ada', role: 'moderator', emailVerified: true }],
  ['a word of the banned', { q: 'hopper', banned: true }],
  ['a provider of few, and a role of most', { provider: 'github', role: 'user', emailVerified: true }],
  ['a word of those of a provider', { q: 'kira', provider: 'github' }],
  ['two letters of a role of few', { q: 'zz', role: 'admin' }],
]

describe(`D-04, R-45 the plans of GET /users, of ${count} users`, () => {
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
    ['missing verification', { emailVerified: false }],
    ['time', { createdAfter: early, createdBefore: late }],
    ['role and time', { role: 'admin', createdBefore: late }],
  ])('read the newest of a %s by its own index', async (_, filter) => {
    const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort: '-createdAt' }))

    expect(plans).toHaveLength(1)
    expect(plans[0]?.sequential).toEqual([])
    expect(plans[0]?.read).toBe(limit)
  })

  test.each<[string, string]>([
    ['ada.zarniwoop@example.com', 'zarniwoop@'],
    ['Zaphod@example.com', 'Zaphod@'],
    ['@Zaphod (com)', '@Zaphod ('],
    ['com/Žluť?', 'Žluť?'],
  ])('ask the index for the rarest word of %s alone, and its bounds', async (q, word) => {
    const plans = await plansOf(service.db, (watched) => listUsers(watched, { q }, { ...page, sort: '-createdAt' }))

    const like = [`(email ~~ '%${word.toLowerCase()}%'::text)`, `(name ~~* '%${word}%'::text)`]
    expect(plans.flatMap(({ bitmaps }) => bitmaps)).toEqual(like)
  })

  test.each(sorts)('ask the index for two common words at once, sorted by %s', async (sort) => {
    const q = 'hopper kira'
    const both = matchesOf({ q: 'kira hopper' })
    const plans = await plansOf(service.db, (watched) => listUsers(watched, { q }, { ...page, sort }))
    const counts = await plansOf(service.db, (watched) => countUsers(watched, { q }, 0))

    const like = [
      `((email ~~ '%kira%'::text) AND (email ~~ '%hopper %'::text))`,
      `((name ~~* '%kira%'::text) AND (name ~~* '%hopper %'::text))`,
    ]
    for (const found of [plans, counts]) {
      expect(found.flatMap(({ bitmaps }) => bitmaps)).toEqual(like)
      expect(readBy(found)).toBeLessThanOrEqual(3 * both + 2 * 500)
    }
    expect(await listUsers(service.db, { q }, { ...page, sort })).toEqual({ rows: [] })
    expect(await countUsers(service.db, { q }, 0)).toEqual({ value: 0, relation: 'eq' })
    expect(await countUsers(service.db, { q: 'kira hopper' }, 0)).toEqual({ value: both, relation: 'eq' })
  })

  describe.each(selective)('of %s', (_, filter) => {
    const fewest = fewestOf(filter)
    // What an index leads to: its entries, these users, and an account of each.
    const gathered = 3 * fewest + 3
    // What is less than a hundredth of all, the planner may take for that.
    const walked = filter.q === undefined && fewest < 400 ? 0 : 2 * 10_500

    test.each(sorts)('sorted by %s read no table from end to end, and little that does not match', async (sort) => {
      const plans = await plansOf(service.db, (watched) => listUsers(watched, filter, { ...page, sort }))

      expect(plans.flatMap(({ sequential }) => sequential)).toEqual([])
      expect(readBy(plans)).toBeLessThanOrEqual(Math.min(gathered + walked, 3 * mostLookedAt))
    })

    test('count them where few are looked at for that, and none else', async () => {
      const matches = matchesOf(filter)
      const result = await countUsers(service.db, filter, 0)
      const plans = await plansOf(service.db, (watched) => countUsers(watched, filter, 0))

      expect(plans.flatMap(({ sequential }) => sequential)).toEqual([])
      expect(readBy(plans)).toBeLessThanOrEqual(fewest > 1.1 * mostLookedAt ? 0 : gathered)
      const least = matches > 10_000 ? 10_000 : -1
      const estimate = { value: expect.toSatisfy((value: number) => value > least) as number, relation: 'estimate' }
      const isCounted = fewest < 0.9 * mostLookedAt && matches <= 10_000
      expect(result).toEqual(isCounted ? { value: matches, relation: 'eq' } : estimate)
    })
  })

  test('of every combination of filters read no table from end to end, and no more than the bound', async () => {
    const choices: UserFilter[][] = [
      [{}, { q: 'beeblebrox' }, { q: 'com.example' }, { q: '€' }],
      [{}, { role: 'moderator' }, { role: 'user' }],
      [{}, { banned: true }, { banned: false }],
      [{}, { emailVerified: true }, { emailVerified: false }],
      [{}, { provider: 'github' }, { provider: 'google' }],
      [{}, { createdAfter: late }],
    ]
    const combinations = choices.reduce((all, some) =>
      all.flatMap((one) => some.map((other) => ({ ...one, ...other }))),
    )
    const faults: unknown[] = []
    for (const filter of combinations) {
      const listed = (sort: UserSort) => (db: Db) => listUsers(db, filter, { ...page, sort })
      for (const work of [listed('-createdAt'), listed('name'), (db: Db) => countUsers(db, filter, 0)]) {
        const plans = await plansOf(service.db, work)
        const sequential = plans.flatMap((plan) => plan.sequential)
        const read = readBy(plans)
        if (sequential.length > 0 || read > 3.1 * mostLookedAt) faults.push({ filter, sequential, read })
      }
    }

    expect(combinations).toHaveLength(648)
    expect(faults).toEqual([])
  }, 300_000)
})

test('D-04 fifty searches at once are all answered, and so is who asks for something else meanwhile', async () => {
  const [admin, ada] = [await service.createSignedIn('admin'), await service.createSignedIn()]
  const words = ['beeblebrox', 'xylophone', 'example', 'kira', 'com.example', 'kira hopper', 'turing-TURING']
  let underWay = 50
  const searches = Array.from({ length: underWay }, async (_, n) => {
    const query = new URLSearchParams({ q: words[n % words.length] ?? '', limit: '100', include: 'total' })
    const { status } = await service.request(`/api/v1/users?${query.toString()}`, { token: admin.token })
    underWay--
    return status
  })

  const others: number[] = []
  while (underWay > 0) {
    for (const path of ['/auth/me', '/users/me/sessions'])
      others.push((await service.request(`/api/v1${path}`, { token: ada.token })).status)
    const change = { method: 'PATCH', token: ada.token, json: { name: `Ada ${others.length}` } }
    others.push((await service.request('/api/v1/users/me', change)).status)
  }

  expect(new Set(await Promise.all(searches))).toEqual(new Set([200]))
  expect(new Set(others)).toEqual(new Set([200]))
})
