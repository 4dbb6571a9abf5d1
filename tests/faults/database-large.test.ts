import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { emptyDatabase, postgresForFile, startOn } from '../support/faulty-database.ts'
import { tellFigures } from '../support/figures.ts'
import type { RequestOptions } from '../support/harness.ts'
import { createMany, generated } from '../support/many-users.ts'
import { isNightly } from '../support/nightly.ts'

const server = await postgresForFile()
const few = 2_000
const many = isNightly ? 1_000_000 : 40_000
const sessionsEach = 5
const rounds = 30
// On a busy machine the one may be measured at a worse time than the other.
const mostTimesAsLong = isNightly ? 3 : 10

/** A database with so many users, and five sessions of each. */
async function filled(count: number): Promise<string> {
  const url = await emptyDatabase(server)
  await (await startOn(url)).stop()
  await createMany({ DATABASE_URL: url }, count)
  const { db, close } = await openDatabase({ kind: 'postgres', url, limits: 'migration', onError: () => {} })
  await db.connection().execute(async (connection) => {
    await sql`set session_replication_role = replica`.execute(connection)
    await sql`insert into session (id, token, user_id, created_at, updated_at, expires_at, not_after)
      select id || '-' || n, md5(id || '-' || n), id, now(), now(), now() + interval '7 days', now() + interval '30 days'
      from "user", generate_series(1, ${sessionsEach}::int) as n where id like 'u0%'`.execute(connection)
    await sql`vacuum analyze session`.execute(connection)
  })
  await close()
  return url
}

const medianOf = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN

/** How long a service takes to start on a database, and then for each of some requests, in milliseconds. */
async function measure(url: string): Promise<Record<string, number>> {
  const startedAt = performance.now()
  const service = await startOn(url)
  const start = performance.now() - startedAt
  const { token } = await service.createSignedIn('admin')
  const times: Record<string, number[]> = {}
  const ask = async (name: string, path: string, options: RequestOptions = {}) => {
    const askedAt = performance.now()
    const response = await service.request(`/api/v1/users${path}`, { token, ...options })
    const text = await response.text()
    ;(times[name] ??= []).push(performance.now() - askedAt)
    expect([name, response.ok, text]).toEqual([name, true, text])
    return text
  }
  for (let round = 0; round < rounds; round++) {
    const { id, email } = generated(4 + round * 20)
    await ask('list', '?limit=50')
    expect(await ask('search', `?q=${email}`)).toContain(id)
    expect(await ask('sessions', `/${id}/sessions`)).toContain(`${id}-5`)
    await ask('ban', `/${id}/ban`, { method: 'POST', json: { reason: 'Spam' } })
    expect(await ask('bannedSessions', `/${id}/sessions`)).not.toContain(`${id}-`)
    await ask('delete', `/${id}`, { method: 'DELETE' })
  }
  await service.stop()
  return { start, ...Object.fromEntries(Object.entries(times).map(([name, each]) => [name, medianOf(each)])) }
}

test(`R-45 ${many} users and ${many * sessionsEach} sessions take about as long as ${few} and ${few * sessionsEach}`, {
  timeout: isNightly ? 1_800_000 : 120_000,
}, async () => {
  const [small, large] = [await filled(few), await filled(many)]
  const [ofFew, ofMany] = [await measure(small), await measure(large)]

  tellFigures('R-45', { users: many, sessions: many * sessionsEach, ofFew, ofMany })
  const slower = Object.entries(ofMany).filter(([name, ms]) => ms > (ofFew[name] ?? 0) * mostTimesAsLong)
  expect(slower).toEqual([])
})
