import { afterAll, expect, test } from 'vitest'
import { bearing, keepAsking, post, signUp, statusAt } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { startFleet } from '../support/fleet.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService } from '../support/service-process.ts'
import { startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())

const rounds = isNightly ? 50 : 1
const minuteMs = 60_000

test(`R-15 three instances restart in turn, ${rounds} time(s), and no request fails`, {
  timeout: rounds * 2 * minuteMs,
}, async () => {
  // In the long form a token is used for longer than a quarter of an hour.
  const env = { JWT_TTL: '60m' }
  const { url, members, replace } = await startFleet(root, { databaseUrl: database.url, count: 3, env })
  await expect.poll(() => statusAt(`${url}/health/ready`)).toBe(200)
  const ada = await signUp(url)
  const rename = JSON.stringify({ name: 'Ada Lovelace' })
  const load = keepAsking(12, [
    () => statusAt(`${url}/api/v1/auth/me`, bearing(ada)),
    () => statusAt(`${url}/health/db`),
    () => statusAt(`${url}/api/auth/token`, { headers: { cookie: ada.cookie } }),
    async () => (await post(`${url}/api/v1/auth/verify`, {}, bearing(ada).headers)).status,
    () =>
      statusAt(`${url}/api/v1/users/me`, {
        method: 'PATCH',
        headers: { ...bearing(ada).headers, 'content-type': 'application/json' },
        body: rename,
      }),
  ])

  for (let round = 0; round < rounds; round++) {
    for (const [place, { service }] of [...members].entries()) {
      service.kill('SIGTERM')
      expect(await service.exited).toEqual({ code: 0, signal: null })
      expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([])
      await replace(place)
    }
  }

  const outcomes = await load.stop()
  tellFigures('R-15', { rounds, outcomes: Object.fromEntries(outcomes) })
  expect([...outcomes.keys()]).toEqual(['200'])
  expect(outcomes.get('200')).toBeGreaterThan(100)
})
