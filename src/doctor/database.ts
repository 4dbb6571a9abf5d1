import type { Config } from '../config.ts'
import { assertCarries } from '../db/carried.ts'
import type { Db } from '../db/database.ts'
import { type SchemaState, schemaState } from '../db/migrate.ts'
import { scrub } from '../log.ts'
import { clockFinding } from './clock.ts'
import { countActiveAdmins, findServerState, type ServerState } from './doctor.queries.ts'
import { type Finding, findingsOf } from './finding.ts'

const oldestServer = 140_000
// Ten that requests share, one that hears of changes and one that tells of them.
const connectionsEach = 12

/** The state of the database; when it cannot be used, that and nothing else. */
export async function databaseFindings(db: Db, config: Config): Promise<Finding[]> {
  const sentAt = Date.now()
  let state: ServerState
  try {
    state = await findServerState(db)
  } catch (error) {
    return [unusable(error)]
  }
  const told = state.now.getTime()
  return [
    server(state),
    clockFinding('database-clock', 'the database', { from: told, to: told }, { from: sentAt, to: Date.now() }),
    ...(config.database ? [limits(state, config.database.directUrl), ...connections(state, config)] : []),
    await migrations(db),
  ]
}

function unusable(error: unknown): Finding {
  const { problem } = findingsOf('database')
  const { code = '', message, errors } = error as Error & { code?: string; errors?: readonly Error[] }
  const text = scrub(message || (errors?.[0]?.message ?? code))
  return problem(
    `the database cannot be used: ${text}`,
    mends.find(([pattern]) => pattern.test(`${code} ${text}`))?.[1] ??
      'Check DATABASE_URL, and the log of the database',
  )
}

const mends: [RegExp, string][] = [
  [/startup parameter/, 'A pooler is before it: set DIRECT_URL to lead past it'],
  [/28P01|28000|SASL/, 'Check the user and the password in DATABASE_URL'],
  [/3D000/, 'Check the name of the database in DATABASE_URL, or create it'],
  [/certificate|SSL|TLS/i, 'Check sslmode and sslrootcert in DATABASE_URL'],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|timeout/,
    'Check the host and the port in DATABASE_URL, and that the database runs',
  ],
]

function server({ version, isReadOnly }: ServerState): Finding {
  const { ok, problem } = findingsOf('database')
  const name = `PostgreSQL ${Math.floor(version / 10_000)}`
  if (version < oldestServer) return problem(`${name} is too old`, 'Use PostgreSQL 14 or later')
  if (isReadOnly) return problem('the database is read-only', 'Let DATABASE_URL lead to the primary server')
  return ok(`${name} answers`)
}

/** Behind a pooler the service cannot say how long a statement may take. */
function limits({ statementTimeoutMs, lockTimeoutMs }: ServerState, directUrl: string | undefined): Finding {
  const { ok, warning } = findingsOf('timeouts')
  if (statementTimeoutMs > 0 && lockTimeoutMs > 0) return ok('statements and waits for locks end in time')
  const names =
    directUrl === undefined
      ? 'The service sets them: check the pooler'
      : "alter role … set statement_timeout = '5s'; alter role … set lock_timeout = '3s'"
  return warning('a statement or a lock may keep a connection for as long as it likes', names)
}

/** Behind a pooler its own limits count. */
function connections({ maxConnections }: ServerState, { workers, database }: Config): Finding[] {
  if (database?.directUrl !== undefined) return []
  const { ok, warning, problem } = findingsOf('connections')
  const needed = workers * connectionsEach
  const what = `an instance opens up to ${needed} connections, and the database allows ${maxConnections}`
  if (needed > maxConnections) return [problem(what, 'Raise max_connections of the database, or lower WEB_CONCURRENCY')]
  if (2 * needed > maxConnections)
    return [
      warning(`${what}: not two instances, as while one replaces another`, 'Raise max_connections of the database'),
    ]
  return [ok(`${what}: ${Math.floor(maxConnections / needed)} instances`)]
}

async function migrations(db: Db): Promise<Finding> {
  const { ok, problem } = findingsOf('migrations')
  let state: SchemaState
  try {
    state = await schemaState(db)
  } catch (error) {
    if ((error as { code?: string }).code !== '42P01') throw error
    return problem('the database has no schema yet', 'npm run migrate')
  }
  const { pending, unknown, edited } = state
  if (edited.length > 0)
    return problem(
      `migrations were edited after they had been applied: ${edited.join(', ')}`,
      'Restore those files, and add new ones',
    )
  if (unknown.length > 0)
    return problem(`the database is newer than this version: it has ${unknown.join(', ')}`, 'Deploy the newer version')
  if (pending.length > 0) return problem(`migrations are pending: ${pending.join(', ')}`, 'npm run migrate')
  return ok('the schema is current')
}

/** Whether somebody can administer, and no password for it lies about. */
export async function adminFinding(db: Db, config: Config): Promise<Finding> {
  const { ok, warning } = findingsOf('admin')
  const active = await countActiveAdmins(db)
  const isShown = ['trace', 'debug', 'info'].includes(config.logLevel)
  if (active === 0)
    return warning(
      'there is no admin yet',
      `${isShown ? 'Open the link in the log, or: ' : ''}npm run admin -- create <email>`,
    )
  if (config.admin && !config.isLoopback)
    return warning('ADMIN_PASSWORD is set and of no use any more', 'Unset ADMIN_EMAIL and ADMIN_PASSWORD')
  return ok(`${active} ${active === 1 ? 'admin' : 'admins'}`)
}

/** Whether changes are heard of at once, the way that the service itself hears of them. */
export async function notificationFinding({ database }: Config): Promise<Finding> {
  const { ok, problem } = findingsOf('notifications')
  if (!database) return ok('changes are heard of within the process')
  try {
    await assertCarries(database.url, database.directUrl ?? database.url)
    return ok('changes are heard of at once')
  } catch (error) {
    const what = `changes are not heard of, and each request asks the database: ${scrub((error as Error).message)}`
    return problem(what, 'Set DIRECT_URL to lead to the database past any pooler')
  }
}
