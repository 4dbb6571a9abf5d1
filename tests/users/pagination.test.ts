import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { bodyOf, invalidAt, problemOf, SessionPage, UserPage } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

type Query = Record<string, string>

const get = (path: string, query: Query) =>
  request(`/api/v1${path}?${new URLSearchParams(query).toString()}`, { token: admin.token })

async function page(query: Query) {
  return bodyOf(await get('/users', query), UserPage)
}

/** Follows the cursors to the end; `between` runs before each page but the first. */
async function walk(query: Query, between: (page: number) => Promise<void> = async () => {}): Promise<string[]> {
  const ids: string[] = []
  for (let pages = 0, cursor: string | null | undefined; cursor !== null; pages++) {
    if (pages > 0) await between(pages)
    const { data, page: info } = await page({ ...query, ...(cursor !== undefined && { cursor }) })
    ids.push(...data.map(({ id }) => id))
    cursor = info.nextCursor
    expect(pages).toBeLessThan(100)
  }
  return ids
}

/** Makes so many users that `q` finds by the tag; `like` makes them equal in every column of a sort. */
async function createMany(count: number, { equal = false } = {}): Promise<{ tag: string; ids: string[] }> {
  const tag = randomUUID()
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const { id } = await service.createUser({
      email: `${randomUUID()}-${tag}@example.com`,
      name: `Ada ${equal ? '' : i}`,
    })
    const created_at = new Date(equal ? 0 : i)
    await db.updateTable('user').set({ created_at }).where('id', '=', id).execute()
    ids.push(id)
  }
  return { tag, ids }
}

const sorts = ['createdAt', '-createdAt', 'email', '-email', 'name', '-name']

describe('pages of GET /users', () => {
  test.each(sorts)('hold every row once, sorted by %s, with equal values', async (sort) => {
    const { tag, ids } = await createMany(11, { equal: true })

    for (const limit of ['1', '3', '11', '100']) {
      const seen = await walk({ q: tag, sort, limit })
      expect(seen.toSorted()).toEqual(ids.toSorted())
    }
  })

  test.each(sorts)('skip and repeat no row while rows are inserted, sorted by %s', async (sort) => {
    const { tag, ids } = await createMany(9, { equal: true })
    const insert = async (n: number) => {
      const [before, after] = n % 2 ? [new Date(0), 'Ada '] : [new Date(n), `${n} Aaa`]
      const { id } = await service.createUser({ email: `${randomUUID()}-${tag}@example.com`, name: String(after) })
      await db.updateTable('user').set({ created_at: before }).where('id', '=', id).execute()
    }

    const seen = await walk({ q: tag, sort, limit: '2' }, (n) => (n < 8 ? insert(n) : Promise.resolve()))

    expect(new Set(seen).size).toBe(seen.length)
    for (const id of ids) expect(seen).toContain(id)
  })

  test('continue when the row at which a page ended is gone', async () => {
    const { tag, ids } = await createMany(4)
    const first = await page({ q: tag, sort: 'createdAt', limit: '2' })
    await db.deleteFrom('user').where('id', '=', String(ids[1])).execute()

    const second = await page({ q: tag, sort: 'createdAt', limit: '2', cursor: String(first.page.nextCursor) })

    expect(second.data.map(({ id }) => id)).toEqual(ids.slice(2))
  })

  test('end with a null cursor and no Link, also when the last page is full', async () => {
    const { tag } = await createMany(2)
    const response = await get('/users', { q: tag, limit: '2' })

    expect(response.headers.get('link')).toBeNull()
    expect((await bodyOf(response, UserPage)).page).toEqual({ limit: 2, nextCursor: null })
  })

  test('point to the next one in Link, with the same query', async () => {
    const { tag, ids } = await createMany(3)
    const response = await get('/users', { q: tag, sort: 'createdAt', limit: '2', include: 'total' })

    const [, path] = /^<(\/api\/v1\/users\?[^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '') ?? []
    const next = await bodyOf(await request(String(path), { token: admin.token }), UserPage)

    expect(next.data.map(({ id }) => id)).toEqual(ids.slice(2))
    expect(next).toMatchObject({ total: { value: 3, relation: 'eq' }, page: { limit: 2, nextCursor: null } })
  })

  test('tell the total only when asked, of all matches', async () => {
    const { tag } = await createMany(3)

    expect(await page({ q: tag, limit: '1', include: 'total' })).toMatchObject({ total: { value: 3, relation: 'eq' } })
    expect(await page({ q: tag, limit: '1' })).not.toHaveProperty('total')
    expect(await page({ q: randomUUID(), include: 'total' })).toMatchObject({
      data: [],
      total: { value: 0, relation: 'eq' },
    })
  })

  test('hold 25 rows when no limit is given', async () => {
    const { tag } = await createMany(26)
    const { data, page: info } = await page({ q: tag })

    expect(data).toHaveLength(25)
    expect(info).toEqual({ limit: 25, nextCursor: expect.any(String) as string })
  })

  test('may change their size on the way', async () => {
    const { tag, ids } = await createMany(5)
    const first = await page({ q: tag, sort: 'createdAt', limit: '1' })
    const rest = await page({ q: tag, sort: 'createdAt', limit: '4', cursor: String(first.page.nextCursor) })

    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(1))
  })
})

const badLimits = ['0', '-1', '101', '1.5', '0x10', ' 1', '1 ', '+1', '1e1', 'abc', '', '1000', '001', '٣', 'NaN']

describe.each(['/users', '/users/me/sessions'])('GET %s', (path) => {
  test.each(badLimits)('refuses the limit %j', async (limit) => {
    expect(await problemOf(await get(path, { limit }))).toEqual(invalidAt('limit'))
  })

  test.each([
    ['limit=1&limit=2', 'limit'],
    ['limit=1&limit=1', 'limit'],
    ['cursor=a&cursor=b', 'cursor'],
    ['page=2', 'page'],
    ['Limit=2', 'Limit'],
    ['=2', ''],
    ['limit=2&=', ''],
  ])('refuses ?%s, naming the parameter', async (query, parameter) => {
    const response = await request(`/api/v1${path}?${query}`, { token: admin.token })
    expect(await problemOf(response)).toEqual(invalidAt(parameter))
  })

  test('refuses a cursor that is too long', async () => {
    expect(await problemOf(await get(path, { cursor: 'a'.repeat(4_097) }))).toEqual(invalidAt('cursor'))
  })

  test.each(['', 'x', '.', '..', 'a.b', 'a.b.c', 'W10.', 'é.é', '\u0000'])('refuses the cursor %j', async (cursor) => {
    expect(await problemOf(await get(path, { cursor }))).toEqual(invalidAt('cursor'))
  })
})

describe('a cursor', () => {
  test('works with its own query only', async () => {
    const { tag } = await createMany(3)
    const query = { q: tag, sort: 'name', limit: '1' }
    const cursor = String((await page(query)).page.nextCursor)
    await service.signIn(admin)
    const others: Query[] = [
      { ...query, sort: '-name' },
      { ...query, sort: 'email' },
      { ...query, q: tag.slice(1) },
      { ...query, role: 'user' },
      { ...query, banned: 'false' },
      { ...query, createdAfter: '2000-01-01T00:00:00Z' },
      { limit: '1' },
    ]

    expect((await page({ ...query, cursor })).data).toHaveLength(1)
    for (const other of others) {
      expect(await problemOf(await get('/users', { ...other, cursor }))).toEqual(invalidAt('cursor'))
    }
    expect(await problemOf(await get('/users/me/sessions', { cursor }))).toEqual(invalidAt('cursor'))
  })

  test('follows the longest names that there can be', async () => {
    const tag = randomUUID()
    const name = `${tag}${'🦊'.repeat(200 - tag.length)}`
    await service.createUser({ name })
    await service.createUser({ name })
    const query = { q: tag, sort: 'name', limit: '1' }
    const cursor = String((await page(query)).page.nextCursor)

    expect((await page({ ...query, cursor })).data).toHaveLength(1)
  })

  test('works with its own list of sessions only', async () => {
    const [ada, bob] = [await service.createSignedIn(), await service.createSignedIn()]
    await service.signIn(ada)
    const first = await bodyOf(await get(`/users/${ada.id}/sessions`, { limit: '1' }), SessionPage)
    const cursor = String(first.page.nextCursor)

    expect((await get(`/users/${ada.id}/sessions`, { limit: '1', cursor })).status).toBe(200)
    expect(await problemOf(await get(`/users/${bob.id}/sessions`, { cursor }))).toEqual(invalidAt('cursor'))
    expect(await problemOf(await get('/users', { cursor }))).toEqual(invalidAt('cursor'))
  })

  test('is refused with any one character changed', async () => {
    const { tag } = await createMany(2)
    const query = { q: tag, limit: '1' }
    const cursor = String((await page(query)).page.nextCursor)

    for (let at = 0; at < cursor.length; at++) {
      const changed = `${cursor.slice(0, at)}${cursor[at] === 'A' ? 'B' : 'A'}${cursor.slice(at + 1)}`
      expect(await problemOf(await get('/users', { ...query, cursor: changed }))).toEqual(invalidAt('cursor'))
    }
  })

  test('made with another secret is refused', async () => {
    const { tag } = await createMany(2)
    const cursor = String((await page({ q: tag, limit: '1' })).page.nextCursor)
    const [payload] = cursor.split('.')

    for (const signature of ['', 'A'.repeat(43), 'é'.repeat(43)]) {
      const response = await get('/users', { q: tag, limit: '1', cursor: `${payload}.${signature}` })
      expect(await problemOf(response)).toEqual(invalidAt('cursor'))
    }
  })
})
