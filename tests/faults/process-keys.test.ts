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
const aheadMs = 2_000

/** Adds a key that signs in two seconds, when the one that signs now ends: what an operator does who replaces a key. */
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
  const published = new Map(members.map((member) => [member.url, new Set<string | undefined>()]))
  const surprises: string[] = []

  /** Has one instance make a token, whose key all have published before, and remembers it. */
  async function makeToken(): Promise<string> {
    const from = members[Math.floor(Math.random() * members.length)]?.url ?? ''
    const token = await tokenOf(from, ada)
    const { kid } = decodeProtectedHeader(token)
    // Asked again, as the watcher may have been kept from it.
    for (const [at, kids] of published) if (!kids.has(kid)) for (const one of await publishedAt(at)) kids.add(one)
    for (const [at, kids] of published) if (!kids.has(kid)) surprises.push(`${kid} was not published at ${at}`)
    tokens.push({ ...ada, token })
    return 'token'
  }
  const watch = async () => {
    for (const [at, kids] of published) for (const kid of await publishedAt(at)) kids.add(kid)
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
  tellFigures('R-22', { outcomes, keys: keys.size, tokens: tokens.length })
  expect(Object.keys(outcomes).toSorted()).toEqual(['200', 'token'])
  expect(surprises).toEqual([])
  // The load has seen each of them sign.
  expect(keys.size).toBe(rotations + 1)
  // The first as good as the last, by every instance.
  for (const member of members) {
    for (const token of [tokens[0], tokens.at(-1)]) {
      expect(await statusAt(`${member.url}/api/v1/auth/me`, bearing(token ?? ada))).toBe(200)
    }
  }
})
