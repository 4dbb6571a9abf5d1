import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'
import { bodyOf, invalidAt, problemOf, UserPage } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

async function list(query: Record<string, string>) {
  const response = await request(`/api/v1/users?${new URLSearchParams(query).toString()}`, { token: admin.token })
  return bodyOf(response, UserPage)
}

async function emails(query: Record<string, string>): Promise<string[]> {
  return (await list({ limit: '100', ...query })).data.map(({ email }) => email)
}

const refused = async (query: string) => problemOf(await request(`/api/v1/users?${query}`, { token: admin.token }))

/** Makes users with these names and returns a text that all their addresses hold. */
async function createNamed(...names: string[]): Promise<string> {
  const tag = randomUUID()
  for (const [i, name] of names.entries()) await service.createUser({ name, email: `${i}-${tag}@example.com` })
  return tag
}

describe('GET /users', () => {
  test('needs users:read', async () => {
    const ada = await service.createSignedIn()

    expect(await problemOf(await request('/api/v1/users', { token: ada.token }))).toMatchObject({ slug: 'forbidden' })
    expect(await problemOf(await request('/api/v1/users'))).toMatchObject({ slug: 'unauthenticated' })
  })

  test.each(['100%', 'under_score', 'back\\slash', '%', '_', '\\', "o'", '%\\_'])(
    'finds %j literally',
    async (part) => {
      const tag = await createNamed(`x${part}y`, 'x1000y', 'under-score', 'backslash', 'ooo')
      await db
        .updateTable('user')
        .set({ name: `${tag} x${part}y` })
        .where('email', '=', `0-${tag}@example.com`)
        .execute()

      const found = (await list({ limit: '100', q: part })).data.filter(({ email }) => email.includes(tag))

      expect(found.map(({ name }) => name)).toEqual([`${tag} x${part}y`])
    },
  )

  test('finds part of an address or of a name in any case', async () => {
    const tag = await createNamed('Zoë Ångström')

    expect(await emails({ q: tag.slice(3, 30).toUpperCase() })).toEqual([`0-${tag}@example.com`])
    expect(await emails({ q: 'ZOË å' })).toEqual([`0-${tag}@example.com`])
    expect(await emails({ q: `${tag}@example.com.` })).toEqual([])
  })

  test.each([
    ['Émile', 'éMI', 'Emi'],
    ['straße', 'STRAß', 'strasse'],
    ['李明', '李明', '明李'],
    ['Ада Лавлейс', 'аДА', 'ADA'],
  ])('finds %j by %j, as lower case is the same, and not by %j', async (name, found, other) => {
    const tag = await createNamed(name)
    const find = async (q: string) => (await emails({ q, sort: '-createdAt' })).filter((email) => email.includes(tag))

    expect(await find(found)).toHaveLength(1)
    expect(await find(other)).toEqual([])
  })

  test('finds nothing that begins in the address and ends in the name', async () => {
    const tag = await createNamed('Ada')

    expect(await emails({ q: `${tag}@example.comAda` })).toEqual([])
    expect(await emails({ q: `${tag}@example.com Ada` })).toEqual([])
  })

  test('finds one address in any case', async () => {
    const tag = await createNamed('Ada', 'Bob')

    expect(await emails({ email: `1-${tag}@EXAMPLE.com` })).toEqual([`1-${tag}@example.com`])
    expect(await emails({ email: `${tag}@example.com` })).toEqual([])
  })

  test('obeys every combination of filters', async () => {
    const tag = randomUUID()
    const created = [new Date('2020-01-01T00:00:00Z'), new Date('2021-01-01T00:00:00Z')]
    const people = Array.from({ length: 32 }, (_, i) => ({
      email: `${i}-${tag}@example.com`,
      role: i & 1 ? 'moderator' : 'user',
      banned: (i & 2) > 0,
      emailVerified: (i & 4) > 0,
      provider: i & 8 ? 'google' : 'github',
      createdAt: created[i & 16 ? 1 : 0] ?? new Date(),
    }))
    for (const { email, role, banned, emailVerified, provider, createdAt } of people) {
      const { id } = await service.createUser({ email, role, emailVerified })
      await db.updateTable('user').set({ banned, created_at: createdAt }).where('id', '=', id).execute()
      await linkAccount(db, id, { provider_id: provider })
    }
    const choices: [string, string | undefined][][] = [
      [
        ['role', undefined],
        ['role', 'moderator'],
      ],
      [
        ['banned', undefined],
        ['banned', 'true'],
        ['banned', 'false'],
      ],
      [
        ['emailVerified', undefined],
        ['emailVerified', 'true'],
        ['emailVerified', 'false'],
      ],
      [
        ['provider', undefined],
        ['provider', 'google'],
      ],
      [
        ['createdAfter', undefined],
        ['createdAfter', '2020-06-01T00:00:00Z'],
      ],
      [
        ['createdBefore', undefined],
        ['createdBefore', '2020-12-31T23:59:59+00:00'],
      ],
    ]
    const combinations = choices.reduce<[string, string | undefined][][]>(
      (all, options) => all.flatMap((chosen) => options.map((option) => [...chosen, option])),
      [[]],
    )

    for (const combination of combinations) {
      const query = Object.fromEntries(combination.filter(([, value]) => value !== undefined)) as Record<string, string>
      const expected = people.filter(
        (person) =>
          (query['role'] ?? person.role) === person.role &&
          (query['banned'] ?? String(person.banned)) === String(person.banned) &&
          (query['emailVerified'] ?? String(person.emailVerified)) === String(person.emailVerified) &&
          (query['provider'] ?? person.provider) === person.provider &&
          person.createdAt > new Date(query['createdAfter'] ?? 0) &&
          person.createdAt < new Date(query['createdBefore'] ?? Date.now()),
      )
      const page = await list({ ...query, q: tag, limit: '100', include: 'total' })
      const found = page.data.map(({ email }) => email)
      expect(found.sort(), JSON.stringify(query)).toEqual(expected.map(({ email }) => email).sort())
      expect(page.total).toEqual({ value: expected.length, relation: 'eq' })
    }
  })

  test('counts an expired ban as none', async () => {
    const tag = await createNamed('Ada')
    const ban = { banned: true, ban_expires: new Date(Date.now() - 1_000) }
    await db.updateTable('user').set(ban).where('email', '=', `0-${tag}@example.com`).execute()

    expect(await emails({ q: tag, banned: 'true' })).toEqual([])
    expect(await emails({ q: tag, banned: 'false' })).toHaveLength(1)
  })

  test.each([
    ['email', ['c', 'a', 'b']],
    ['name', ['carla', 'adam', 'bea']],
    ['createdAt', ['2020-01-03', '2020-01-01', '2020-01-02']],
  ] as const)('sorts by %s in both directions', async (sort, values) => {
    const tag = randomUUID()
    for (const value of values) {
      const email = sort === 'email' ? `${value}-${tag}@example.com` : `${randomUUID()}-${tag}@example.com`
      const { id } = await service.createUser({ email, name: value })
      const created_at = sort === 'createdAt' ? new Date(value) : new Date()
      await db.updateTable('user').set({ created_at }).where('id', '=', id).execute()
    }
    const sorted = async (by: string) => (await list({ q: tag, sort: by })).data.map((user) => user[sort])

    const ascending = await sorted(sort)
    expect(ascending.map((value) => value.slice(0, values[0].length))).toEqual([...values].sort())
    expect(await sorted(`-${sort}`)).toEqual(ascending.toReversed())
  })

  test('lists the newest first when no sort is given', async () => {
    const tag = await createNamed('Ada', 'Bob', 'Cleo')

    expect(await emails({ q: tag })).toEqual(await emails({ q: tag, sort: '-createdAt' }))
  })

  test.each([
    ['q=', 'q'],
    [`q=${'x'.repeat(201)}`, 'q'],
    ['q=%00', 'q'],
    ['email=nobody', 'email'],
    ['role=', 'role'],
    ['banned=yes', 'banned'],
    ['banned=', 'banned'],
    ['banned=TRUE', 'banned'],
    ['emailVerified=1', 'emailVerified'],
    ['provider=', 'provider'],
    ['createdAfter=2026-01-01', 'createdAfter'],
    ['createdAfter=soon', 'createdAfter'],
    ['createdBefore=2026-02-30T00:00:00Z', 'createdBefore'],
    ['include=all', 'include'],
    ['include=', 'include'],
    ['q=a&q=b', 'q'],
    ['sort=name&sort=email', 'sort'],
    ['role[]=user', 'role[]'],
  ])('refuses ?%s, naming the parameter', async (query, parameter) => {
    expect(await refused(query)).toEqual(invalidAt(parameter))
  })

  test('names every parameter at fault', async () => {
    expect(await refused('limit=0&banned=x&nonsense=1')).toEqual(invalidAt('limit', 'banned', 'nonsense'))
  })

  test.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-01-01T00:00:00%2B14:00'])(
    'takes the time %s',
    async (time) => {
      const response = await request(`/api/v1/users?createdAfter=${time}&createdBefore=${time}`, { token: admin.token })
      expect((await bodyOf(response, UserPage)).data).toEqual([])
    },
  )
})
