import { Hono } from 'hono'
import type { Db } from '../db/database.ts'
import { isSchemaCurrent, readMigrations } from '../db/migrate.ts'
import type { Env } from '../http/exchange.ts'

interface Dependencies {
  /** Undefined while the process starts. */
  db: Db | undefined
  isReady: () => boolean
}

const noStore = { 'cache-control': 'no-store' }

/** For load balancers and orchestrators. They tell the status and nothing else. */
export function healthRoutes({ db, isReady }: Dependencies) {
  const migrations = readMigrations()
  let asked: Promise<boolean> | undefined
  // Nothing limits who asks: one question at a time, whoever asks meanwhile.
  const isCurrent = (known: Db) =>
    (asked ??= isSchemaCurrent(known, migrations)
      .catch(() => false)
      .finally(() => (asked = undefined)))
  return new Hono<Env>()
    .get('/health', (c) => c.json({ status: 'ok' }, 200, noStore))
    .get('/health/ready', (c) =>
      isReady() ? c.json({ status: 'ok' }, 200, noStore) : c.json({ status: 'unavailable' }, 503, noStore),
    )
    .get('/health/db', async (c) => {
      const current = db !== undefined && (await isCurrent(db))
      return current ? c.json({ status: 'ok' }, 200, noStore) : c.json({ status: 'unavailable' }, 503, noStore)
    })
}
