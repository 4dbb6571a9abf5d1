import { Kysely, PostgresDialect, type Selectable, type Transaction } from 'kysely'
import pg from 'pg'
import { openEmbedded } from './embedded.ts'
import { databaseFailure, isConflict } from './failure.ts'
import { reportOutage } from './outage.ts'
import type { DB } from './schema.ts'

export type Db = Kysely<DB>
export type Tx = Transaction<DB>
/** A row of a table, as it is read. */
export type Row<T extends keyof DB> = Selectable<DB[T]>

/** An open database. `close` ends every connection, and the embedded server with its lock. */
export interface Database {
  db: Db
  close: () => Promise<void>
}

/**
 * How long a statement may take: as long as a request can wait, the same without startup parameters, which a pooler
 * refuses (there the role's own defaults apply), or as long as a migration needs.
 */
export type Limits = 'request' | 'pooled' | 'migration'

export type DatabaseConfig =
  | { kind: 'postgres'; url: string; limits: Limits; onError: (error: Error) => void }
  | { kind: 'embedded'; directory: string; onError: (error: Error) => void }

const connectTimeoutMs = 2_000
const statementTimeoutMs = 5_000
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
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: reportsFailures(pool) }) })
  return {
    db,
    async close() {
      await db.destroy()
      await embedded.close()
    },
  }
}

function openPostgres({ url, limits, onError }: DatabaseConfig & { kind: 'postgres' }): Database {
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
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: reportsFailures(pool, { dropsBroken: true }) }) })
  return { db, close: () => db.destroy() }
}

interface KyselyPool {
  connect: () => Promise<pg.PoolClient>
  end: () => Promise<void>
}

/**
 * Reports every failure of a query to whoever watches.
 * @param dropsBroken whether a client that failed, or whose query timed out and goes on, must not return to the pool; the
 *   one client of the embedded database is all there is
 */
function reportsFailures(pool: pg.Pool, { dropsBroken = false } = {}): KyselyPool {
  return {
    end: () => pool.end(),
    async connect() {
      const client = await orReport(pool.connect())
      const { query, release } = client
      let broken: Error | undefined
      const watched = async (...args: unknown[]): Promise<unknown> => {
        try {
          return await orReport(Reflect.apply(query, client, args) as Promise<unknown>)
        } catch (error) {
          if (error instanceof Error && !(error instanceof pg.DatabaseError)) broken = error
          throw error
        }
      }
      client.query = watched as typeof query
      client.release = () => {
        client.query = query
        client.release = release
        release.call(client, dropsBroken ? broken : undefined)
      }
      return client
    },
  }
}

async function orReport<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const isExpected = databaseFailure(error)?.kind === 'constraint' || isConflict(error)
    if (!isExpected && error instanceof Error) reportOutage(error)
    throw error
  }
}
