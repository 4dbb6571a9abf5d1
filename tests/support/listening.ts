import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, PostgresDialect, type PostgresPool } from 'kysely'
import pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import { type Db, openDatabase } from '../../src/db/database.ts'
import type { DB } from '../../src/db/schema.ts'
import { createTestDatabase, directUrl } from './harness.ts'
import { startPgbouncer, through } from './pgbouncer.ts'
import { startProxy } from './tcp-proxy.ts'

const server = process.env['TEST_DATABASE_URL'] ?? ''
export const patient = { timeout: 15_000, interval: 10 }

type Way = (url: string) => string

/** A database that is listened to, each over a way of its own if one is given. */
export async function listenTo({ pooled = (url) => url, direct }: { pooled?: Way; direct?: Way } = {}) {
  const { env, remove } = await createTestDatabase()
  const url = directUrl(env)
  const listenerUrl = direct?.(url)
  const limits = pooled(url) === url ? 'request' : 'pooled'
  const database = await openDatabase({
    kind: 'postgres',
    url: pooled(url),
    directUrl: listenerUrl,
    limits,
    onError: () => {},
  })
  // What was heard, `gap`, and what was told of the way, in order.
  const events: string[] = []
  const notifications = await database.listen({
    channel: 'authority',
    onNotification: (payload) => events.push(payload),
    onGap: () => events.push('gap'),
    onChange: (state) => events.push(state.carries ? 'carries' : state.reason),
  })
  onTestFinished(async () => {
    await database.close()
    await remove()
  })
  const isCurrent = () => notifications.isCurrent()
  const becomesCurrent = async (is = true) => {
    await expect.poll(isCurrent, patient).toBe(is)
  }
  /** What must be so once a write has returned: what it told has been heard, or nothing counts as current. */
  const isSafe = (told: string) => events.includes(told) || !isCurrent()
  return { ...database, url, events, notifications, isCurrent, becomesCurrent, isSafe }
}

/** @returns what is told of a new user who is written about */
export async function createUser(db: Db): Promise<{ told: string; rename: (on: Db) => Promise<unknown> }> {
  const id = randomUUID()
  await db
    .insertInto('user')
    .values({ id, name: 'Ada', email: `${id}@example.com` })
    .execute()
  const rename = (on: Db) => on.updateTable('user').set({ name: randomUUID() }).where('id', '=', id).execute()
  return { told: `user:${id}`, rename }
}

/** Runs a statement past everything. */
export async function onDatabase(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows.map((row) => Object.values(row)[0])
  } finally {
    await client.end()
  }
}

export const listeners = `from pg_stat_activity where application_name = 'latchkey listener' and datname = current_database()`
export const killListener = `select pg_terminate_backend(pid) ${listeners}`

/** A proxy for the way on which is listened. */
export async function startWay() {
  const proxy = await startProxy(server)
  onTestFinished(proxy.close)
  return proxy
}

/** Waits until the next time that things count as current. @returns whether `told` was heard by then, or a gap since */
export async function isKnownOnceCurrent(
  { isCurrent, events }: Awaited<ReturnType<typeof listenTo>>,
  told: string,
  from: number,
) {
  for (;;) {
    if (isCurrent()) return events.slice(from).some((event) => event === told || event === 'gap')
    await pause(1)
  }
}

/** Queries over a pool. */
export function kyselyOver(pool: PostgresPool): Db {
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
}

/** Starts PgBouncer in transaction mode before a server until the test has finished. @returns the way through it */
export async function startPooler(server: string, ignored?: string[]): Promise<Way> {
  const { host, stop } = await startPgbouncer(server, { size: 4, ignored })
  onTestFinished(stop)
  return through(host)
}
