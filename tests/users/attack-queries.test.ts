import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { bodyOf, invalidAt, problemOf, UserPage } from '../support/wire.ts'

const service = await startServiceForFile()
const { db, request } = service
const admin = await service.createSignedIn('admin')

const payloads = readFileSync(new URL('../support/sql-payloads.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')

/** The ids of all users, and how much there is beside them. */
async function everything(): Promise<unknown> {
  const users = await db.selectFrom('user').select(['id', 'role', 'email', 'name']).orderBy('id').execute()
  const sessions = await db.selectFrom('session').select('id').orderBy('id').execute()
  const keys = await db.selectFrom('jwks').select('id').orderBy('id').execute()
  return { users, sessions, keys }
}

/** Asks with each payload, a few at a time. */
async function withEach<T>(ask: (payload: string) => Promise<T>): Promise<[payload: string, answer: T][]> {
  const answers: [string, T][] = []
  for (let i = 0; i < payloads.length; i += 10) {
    const some = payloads.slice(i, i + 10)
    answers.push(
      ...(await Promise.all(some.map(async (payload): Promise<[string, T]> => [payload, await ask(payload)]))),
    )
  }
  return answers
}

const list = (name: string, value: string) =>
  request(`/api/v1/users?${new URLSearchParams({ [name]: value }).toString()}`, { token: admin.token })

/** The lines of the log that tell of a failure, as a query that the database does not understand is. */
const failures = () => service.logLines().filter((line) => (JSON.parse(line) as { level: number }).level > 40)

for (const name of payloads) await service.createUser({ name: `${name} ` })

describe('N-01 two hundred pieces of SQL', () => {
  test('are what they were taken for', () => {
    expect(new Set(payloads).size).toBe(200)
  })

  // As a parameter that there is: attack-query-parameters.
  test.each(['order', 'filter', 'page'])('are refused as %s, which nothing is called', async (name) => {
    const before = await everything()
    const answers = await withEach(async (payload) => problemOrNone(await list(name, payload)))
    expect(answers.filter(([, answer]) => answer !== name)).toEqual([])
    expect(await everything()).toEqual(before)
    expect(failures()).toEqual([])
  })

  test('are found literally where one searches for them', async () => {
    const answers = await withEach(async (q) =>
      (
        await bodyOf(
          await request(`/api/v1/users?${new URLSearchParams({ q, limit: '100' }).toString()}`, { token: admin.token }),
          UserPage,
        )
      ).data.map(({ name, email }) => `${name}\n${email}`.toLowerCase()),
    )
    for (const [q, found] of answers) {
      expect([q, found.length > 0]).toEqual([q, true])
      expect([q, found.filter((text) => !text.includes(q.toLowerCase()))]).toEqual([q, []])
    }
    expect(failures()).toEqual([])
  })

  test.each(['role', 'provider'])('match nobody as %s', async (name) => {
    const answers = await withEach(async (payload) => {
      const response = await list(name, payload)
      return payload.length > 50 ? problemOrNone(response) : (await bodyOf(response, UserPage)).data.length
    })
    expect(answers.filter(([payload, answer]) => answer !== (payload.length > 50 ? name : 0))).toEqual([])
    expect(failures()).toEqual([])
  })

  test.each(['sortBy', 'searchField', 'filterField', 'limit', 'offset'])(
    'are refused by Better-Auth as %s',
    async (name) => {
      const before = await everything()
      const answers = await withEach(async (payload) => {
        const query = new URLSearchParams({ searchValue: 'a', filterValue: 'a', [name]: payload }).toString()
        return (await request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })).status
      })
      const isCount = (payload: string) => ['limit', 'offset'].includes(name) && /^\d{1,2}$/.test(payload)
      expect(answers.filter(([payload, status]) => status !== 400 && !isCount(payload))).toEqual([])
      expect(await everything()).toEqual(before)
      expect(failures()).toEqual([])
    },
  )

  test('are no ids, of anything', async () => {
    const before = await everything()
    const paths = (id: string) => [
      `/users/${id}`,
      `/users/${id}/sessions`,
      `/users/me/sessions/${id}`,
      `/clients/${id}`,
    ]
    const answers = await withEach(async (payload) =>
      Promise.all(
        paths(encodeURIComponent(payload)).map(async (path) => {
          const method = path.startsWith('/users/me') ? 'DELETE' : 'GET'
          return (await request(`/api/v1${path}`, { method, token: admin.token })).status
        }),
      ),
    )
    const isRefused = (status: number) => status === 422 || status === 404
    expect(answers.filter(([, statuses]) => !statuses.every(isRefused))).toEqual([])
    expect(await everything()).toEqual(before)
    expect(failures()).toEqual([])
  })
})

/** Which parameter is at fault, or that none is. */
async function problemOrNone(response: Response): Promise<string> {
  if (response.status === 200) return 'none'
  const { status, slug, at } = await problemOf(response)
  return status === 422 && slug === 'validation' ? at.join() : `${status}`
}

test.each(['password', 'banReason', 'ban_reason', 'id', '--name', 'name;drop', 'role', 'validAfter', 'Email', ''])(
  'N-02 nobody is sorted by %j',
  async (sort) => {
    expect(await problemOf(await list('sort', sort))).toEqual(invalidAt('sort'))
    const query = new URLSearchParams({ sortBy: sort, searchValue: '' }).toString()
    const isColumn = sort === 'id' || sort === 'role'
    const { status } = await request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })
    expect(status).toBe(isColumn ? 200 : 400)
  },
)

test.each(['createdAt', 'email', 'name'])('N-02 one sorts by %j, in both directions', async (sort) => {
  const first = async (direction: string) => {
    const { data } = await bodyOf(await list('sort', direction + sort), UserPage)
    return data[0]?.id
  }
  expect(await first('')).not.toBe(await first('-'))
  for (const sortDirection of ['asc', 'desc']) {
    const query = new URLSearchParams({ sortBy: sort, sortDirection }).toString()
    expect((await request(`/api/auth/admin/list-users?${query}`, { cookie: admin.cookie })).status).toBe(200)
  }
})

test('N-17 a page holds what was asked for, and a hundred at most', async () => {
  for (const limit of [1, 25, 100]) {
    const { data, page } = await bodyOf(await list('limit', String(limit)), UserPage)
    expect([data.length, page.limit]).toEqual([limit, limit])
  }
})
