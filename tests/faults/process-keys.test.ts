import { setTimeout as pause } from 'node:timers/promises'
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose'
import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { keyMint } from '../../src/auth/keys/mint-key.ts'
import { bearing, type Caller, keepAsking, signUp, statusAt, tokenOf } from '../support/callers.ts'
import { tellFigures } from '../support/figures.ts'
import { startFleet } from '../support/fleet.ts'
import { secret } from '../support/harness.ts'
import { isNightly } from '../support/nightly.ts'
import { buildService } from '../support/service-process.ts'
import { startPostgres } from '../support/throwaway-postgres.ts'

const root = buildService()
const database = await startPostgres()
afterAll(() => database.stop())

const everyMs = 5_000
const rotations = isNightly ? 60 : 3
const aheadMs = 3_000

/** Adds a key that signs in three seconds, when the one that signs now ends: what an operator does who replaces a key. */
async function rotate(client: pg.Client): Promise<void> {
  const { publicKey, privateKey, alg } = await keyMint('RS256', secret)()
  const activeAt = new Date(Date.now() + aheadMs)
  await client.query('begin')
  await client.query('update jwks set expires_at = $1 where expires_at > $1', [activeAt])
  await client.query(
    `insert into jwks (id, public_key, private_key, alg, created_at, active_at, expires_at)
     values (gen_random_uuid()::text, $1, $2, $3, now(), $4, $4::timestamptz + interval '90 days')`,
    [publicKey, privateKey, alg, activeAt],
  )
  await client.query('commit')
}

async function publishedAt(url: string): Promise<(string | undefined)[]> {
  const { keys } = (await (await fetch(`${url}/api/auth/jwks`)).json()) as JSONWebKeySet
  return keys.map(({ kid }) => kid)
}

test(`R-22 keys change every 5 s, ${rotations} times, under load on three instances, and no good token is refused`, {
  timeout: rotations * everyMs + 120_000,
}, async () => {
  const { url, members } = await startFleet(root, { databaseUrl: database.url, count: 3 })
  await expect.poll(() => statusAt(`${url}/health/ready`)).toBe(200)
  const ada = await signUp(url)
  const client = new pg.Client(database.url)
  await client.connect()
  onTestFinished(() => client.end())
  const tokens: Caller[] = [ada]
  /** When an instance first showed a key, by the instance and the key. */
  const shownAt = new Map<string, number>()

  /** Has one instance make a token, and remembers it. */
  async function makeToken(): Promise<string> {
    const from = members[Math.floor(Math.random() * members.length)]?.url ?? ''
    const token = await tokenOf(from, ada)
    tokens.push({ ...ada, token })
    return 'token'
  }
  const watch = async () => {
    for (const member of members) {
      for (const kid of await publishedAt(member.url)) {
        const shown = `${member.url} ${kid}`
        if (!shownAt.has(shown)) shownAt.set(shown, Date.now())
      }
    }
    await pause(50)
    return 'published'
  }
  await watch()
  const old = () => statusAt(`${url}/api/v1/auth/me`, bearing(tokens[Math.floor(Math.random() * tokens.length)] ?? ada))
  const latest = () => statusAt(`${url}/api/v1/auth/me`, bearing(tokens.at(-1) ?? ada))
  const watching = keepAsking(1, [watch])
  const load = keepAsking(10, [makeToken, latest, old, latest, old])

  for (let i = 0; i < rotations; i++) {
    await rotate(client)
    await pause(everyMs)
  }
  const outcomes = Object.fromEntries(await load.stop())
  await watching.stop()

  const keys = new Set(tokens.map(({ token }) => decodeProtectedHeader(token).kid))
  const { rows } = await client.query<{ id: string; active_at: Date }>(
    'select id, active_at from jwks order by active_at offset 1',
  )
  // How long before it signed each instance showed each key that was made here.
  const aheadBy = members.flatMap(({ url: at }) =>
    rows.map(({ id, active_at }) => active_at.getTime() - (shownAt.get(`${at} ${id}`) ?? Number.POSITIVE_INFINITY)),
  )
  tellFigures('R-22', { outcomes, keys: keys.size, tokens: tokens.length, leastAheadMs: Math.min(...aheadBy) })
  expect(Object.keys(outcomes).toSorted()).toEqual(['200', 'token'])
  expect(aheadBy).toHaveLength(rotations * members.length)
  expect(Math.min(...aheadBy)).toBeGreaterThan(0)
  // The load has seen each of them sign.
  expect(keys.size).toBe(rotations + 1)
  // The first as good as the last, by every instance.
  for (const member of members) {
    for (const token of [tokens[0], tokens.at(-1)]) {
      expect(await statusAt(`${member.url}/api/v1/auth/me`, bearing(token ?? ada))).toBe(200)
    }
  }
})
