import { Kysely, PostgresDialect, type Selectable, type Transaction } from 'kysely'
import pg from 'pg'
import { keepLogShort } from './checkpoints.ts'
import { type Clock, followDatabaseClock } from './clock.ts'
import { type Embedded, openEmbedded } from './embedded.ts'
import { type Listening, listen, type Notifications } from './notifications.ts'
import type { DB } from './schema.ts'
import { watchPool } from './watched-pool.ts'

export type Db = Kysely<DB>
export type Tx = Transaction<DB>
/** A row of a table, as it is read. */
export type Row<T extends keyof DB> = Selectable<DB[T]>

/** An open database. */
export interface Database {
  db: Db
  /**
   * Hears what is told on a channel. From then on a change returns when what it told has been heard here, or when nothing
   * that was heard counts as current.
   */
  listen: (listening: Listening) => Promise<Notifications>
  /** Whether somebody listens, and all that was committed until two seconds ago has been heard. */
  isHeard: () => boolean
  /** A clock that all who use the database share. @throws what the database answers */
  clock: () => Promise<Clock>
  /** Ends every connection, and the embedded server with its lock. */
  close: () => Promise<void>
}

/**
 * How long a statement may take: as long as a request can wait, the same without startup parameters, which a pooler
 * refuses (there the role's own defaults apply), or as long as a migration needs.
 */
export type Limits = 'request' | 'pooled' | 'migration'

export type DatabaseConfig =
  | {
      kind: 'postgres'
      url: string
      /** Where to listen, when a pooler is before `url`. */
      directUrl?: string | undefined
      limits: Limits
      onError: (error: Error) => void
    }
  | { kind: 'embedded'; directory: string; onError: (error: Error) => void }

const connectTimeoutMs = 2_000
// Before a request gives up, so that the connection can be used again.
const statementTimeoutMs = 4_000
const lockTimeoutMs = 3_000
// A server that was stopped never sends its own timeout, so the client keeps one too.
const queryTimeoutMs = statementTimeoutMs + 500

// `pg` returns int8 as a string, which Better-Auth concatenates; every count and rate here fits a number.
const int8 = 20
const types = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

/**
 * Opens PostgreSQL by URL, or the embedded one in a directory. Both are reached through `pg`, so parsers and
 * the fields of errors are the same. Nothing is migrated; PostgreSQL is first contacted by the first query.
 * @throws EmbeddedDatabaseError when the directory is in use, corrupt or of another version.
 */
export async function openDatabase(config: DatabaseConfig): Promise<Database> {
  if (config.kind === 'postgres') return openPostgres(config)
  const embedded = await openEmbedded(config.directory)
  const pool = new pg.Pool({ ...embedded.clientConfig, max: 1, idleTimeoutMillis: 0, types })
  pool.on('error', config.onError)
  // What a change tells is heard before it returns: both are in this process.
  const watched = watchPool(pool, { dropsBroken: false, notifications: () => undefined })
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: watched }) })
  const endCheckpoints = keepLogShort(db, config.onError)
  let isHeard = false
  return {
    db,
    async listen(listening) {
      const notifications = await listenWithin(embedded, listening)
      isHeard = true
      return notifications
    },
    isHeard: () => isHeard,
    // It is in this process.
    clock: () => Promise.resolve({ now: Date.now, close: () => {} }),
    async close() {
      endCheckpoints()
      await db.destroy()
      await embedded.close()
    },
  }
}

function openPostgres({ url, directUrl = url, limits, onError }: DatabaseConfig & { kind: 'postgres' }): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    types,
    ...(limits !== 'migration' && { query_timeout: queryTimeoutMs }),
    ...(limits !== 'pooled' && { lock_timeout: lockTimeoutMs }),
    ...(limits === 'request' && { statement_timeout: statementTimeoutMs }),
  })
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', onError)
  // The same while one is in use, between two of its queries; the next query on it fails, and it is dropped.
  pool.on('connect', (client) => client.on('error', () => {}))
  let notifications: Notifications | undefined
  const watched = watchPool(pool, { dropsBroken: true, notifications: () => notifications })
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: watched }) })
  return {
    db,
    async listen(listening) {
      notifications = listen({ ...listening, url, directUrl })
      return notifications
    },
    isHeard: () => notifications?.isCurrent() ?? false,
    clock: () => followDatabaseClock(db),
    async close() {
      await notifications?.close()
      await db.destroy()
    },
  }
}

/** Listens in the embedded database, where nothing is between who tells and who hears. */
async function listenWithin(
  { hear }: Embedded,
  { channel, onNotification, onChange }: Listening,
): Promise<Notifications> {
  const stop = await hear(channel, onNotification)
  onChange({ carries: true })
  return { isCurrent: () => true, catchUp: async () => {}, distrust: () => {}, age: () => 0, close: stop }
}
