import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { openKey } from '../../src/auth/keys/mint-key.ts'
import { bearing, signUp, statusAt, tokenOf } from '../support/callers.ts'
import { startFleet } from '../support/fleet.ts'
import { secret } from '../support/harness.ts'
import { buildService, startProgram } from '../support/service-process.ts'
import { startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())

/** The library of Debian's faketime, where it is installed. */
function libfaketime(): string | undefined {
  const paths = readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'faketime/libfaketime.so.1'))
  return paths.find((path) => existsSync(path))
}

const library = libfaketime()

/** Starts services each by a clock of its own, which can be set. */
async function startWithClocks(offsets: number[]) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-clocks-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = (place: number) => join(folder, String(place))
  const set = (place: number, seconds: number) => writeFileSync(file(place), `${seconds < 0 ? '' : '+'}${seconds}`)
  for (const [place, seconds] of offsets.entries()) set(place, seconds)
  const fleet = await startFleet(root, {
    databaseUrl: database.url,
    count: offsets.length,
    start: (at, env, place) =>
      startProgram([process.execPath, join(at, 'dist/src/main.js')], { ...env, ...fakeTime(file(place)) }, folder),
  })
  return { ...fleet, set }
}

const fakeTime = (file: string) => ({
  LD_PRELOAD: library ?? '',
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_CACHE_DURATION: '1',
  // As a clock that is set leaves it.
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
})

test.skipIf(!library && !process.env['REQUIRE_PACKAGES'])(
  'R-30 clocks four minutes apart, and one that is set back, refuse nothing that is good and take nothing that is over (needs faketime)',
  async () => {
    const { url, members, set } = await startWithClocks([120, -120, 0])
    const client = new pg.Client(database.url)
    await client.connect()
    onTestFinished(() => client.end())
    const { rows: keys } = await client.query<{ id: string; private_key: string }>('select * from jwks')
    const now = async () =>
      Number((await client.query<{ s: number }>('select extract(epoch from now())::float8 as s')).rows[0]?.s)

    /** What every instance says of the tokens and cookies of every other. */
    async function askAll() {
      for (const from of members) {
        const ada = await signUp(from.url, url)
        const { iat = 0 } = decodeJwt(ada.token)
        expect(iat).toBeLessThanOrEqual((await now()) + 1)
        for (const at of members) {
          expect([from.url, at.url, await statusAt(`${at.url}/api/v1/auth/me`, bearing(ada))]).toEqual([
            from.url,
            at.url,
            200,
          ])
          const headers = { cookie: ada.cookie }
          expect(await statusAt(`${at.url}/api/v1/auth/me`, { headers })).toBe(200)
          await tokenOf(at.url, headers)
        }
        for (const [left, status] of [
          [60, 200],
          [-8, 401],
        ] as const) {
          const token = await endingIn(ada.token, left)
          for (const at of members)
            expect([at.url, left, await statusAt(`${at.url}/api/v1/auth/me`, bearing({ token }))]).toEqual([
              at.url,
              left,
              status,
            ])
        }
      }
    }
    /** The same token with its end so many seconds from now, by the clock of the database. */
    async function endingIn(token: string, seconds: number): Promise<string> {
      const { kid = '', alg = '' } = decodeProtectedHeader(token)
      const key = await openKey([secret], keys.find(({ id }) => id === kid) ?? { private_key: '' })
      const at = Math.floor(await now())
      return new SignJWT({ ...decodeJwt(token), iat: at - 100, exp: at + seconds })
        .setProtectedHeader({ alg, kid })
        .sign(key)
    }

    await askAll()
    set(2, -3_600)
    const clockAt = async (place: number) =>
      Date.parse((await fetch(`${members[place]?.url}/health`)).headers.get('date') ?? '')
    await expect.poll(() => clockAt(2), { timeout: 10_000 }).toBeLessThan(Date.now() - 3_000_000)
    // The first request notices it, and the clock of the database is asked.
    await statusAt(`${members[2]?.url}/api/v1/auth/me`, bearing({ token: (await signUp(url)).token }))
    await askAll()
  },
)
