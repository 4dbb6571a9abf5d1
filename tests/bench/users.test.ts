import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onPostgres } from '../support/database-template.ts'
import { createTestDatabase, directUrl } from '../support/harness.ts'
import { addUsers, searchesIn, searchKinds } from './users.ts'

describe.skipIf(!onPostgres)('the users of the benchmark (need PostgreSQL)', () => {
  test('each kind of search finds as many of them as it says', async () => {
    const size = 2_000
    const { env, remove } = await createTestDatabase()
    onTestFinished(remove)
    const client = new pg.Client(directUrl(env))
    await client.connect()
    onTestFinished(() => client.end())
    await addUsers(client, { size, from: 1, to: size })

    const texts = await searchesIn(client, size)
    const found = async (kind: (typeof searchKinds)[number]) => {
      const { rows } = await client.query<{ count: number }>(
        `select count(u.id)::int as count from unnest($1::text[]) as q
         left join "user" u on u.name ilike '%' || q || '%' or u.email ilike '%' || q || '%' group by q`,
        [texts[kind]],
      )
      const counts = rows.map(({ count }) => count)
      return [counts.length, Math.min(...counts), Math.max(...counts)]
    }

    const ranges: number[][] = []
    for (const kind of searchKinds) ranges.push(await found(kind))
    const [rare, common, absent, address, nameAtDomain, swapped, pieces] = ranges
    expect(rare).toEqual([20, expect.toSatisfy((n) => n >= 1), expect.toSatisfy((n) => n < size / 50)])
    expect(common?.[1]).toBeGreaterThan(size / 50)
    expect([absent, pieces]).toEqual([
      [3, 0, 0],
      [3, 0, 0],
    ])
    expect(address).toEqual([20, 1, expect.toSatisfy((n) => n <= 2)])
    expect(nameAtDomain).toEqual([20, 1, expect.toSatisfy((n) => n <= 2)])
    expect(swapped).toEqual([expect.toSatisfy((n) => n >= 10), 0, 0])
  })
})
