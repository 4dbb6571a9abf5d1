import type { PostgresPool } from 'kysely'
import pg from 'pg'
import { auditStatement, writesAudit } from './audit-context.ts'
import { noteConflict } from './conflicts.ts'
import { databaseFailure, isConflict } from './failure.ts'
import type { Notifications, Notify } from './notifications.ts'
import { reportOutage } from './outage.ts'
import { counted, waited } from './patience.ts'
import { attempts } from './transaction.ts'

interface Watching {
  /** Whether a client that failed, or whose query timed out and goes on, must not return to the pool; that of the embedded database is all there is. */
  dropsBroken: boolean
  /** What is told of changes, once somebody listens. */
  notifications: () => Notifications | undefined
}

/**
 * A pool whose failures are reported to whoever watches, whose changes of authority return once they were heard of, and
 * whose transactions know for the audit log who makes them.
 */
export function watchPool(pool: pg.Pool, watching: Watching): PostgresPool {
  return {
    end: () => pool.end(),
    async connect() {
      const client = await orReport(
        waited(
          () => pool.connect(),
          (late) => late.release(),
        ),
      )
      return watchClient(client, watching)
    },
  }
}

function watchClient(client: pg.PoolClient, { dropsBroken, notifications }: Watching): pg.PoolClient {
  const { query, release } = client
  const run = async (...args: unknown[]) =>
    kept(args[0], await (Reflect.apply(query, client, args) as Promise<unknown>))
  // The only connection that there is cannot be left to what takes long.
  const ask = (args: unknown[]) => (dropsBroken ? waited(() => run(...args)) : run(...args))
  const read = createReader()
  let broken: Error | undefined
  let lost: Error | undefined
  // The change is made already, whatever becomes of this.
  const notify: Notify = async (channel, payload) => {
    broken = new Error('What was told of a change is not answered yet')
    await run('select pg_notify($1, $2)', [channel, payload])
    broken = undefined
  }
  const watched = async (...args: unknown[]): Promise<unknown> => {
    // What timed out goes on, and would keep a rollback waiting; that comes with the end of the connection, too.
    if (lost && dropsBroken) throw lost
    const { isTold, isAlone, begins } = read(args[0])
    const work = () => inContext(ask, args, { begins, isAlone, dropsBroken })
    try {
      const result = await orReport(isAlone ? persistently(work) : orNote(work()))
      if (isTold) await counted(async () => notifications()?.catchUp(notify))
      return result
    } catch (error) {
      if (error instanceof Error && !(error instanceof pg.DatabaseError)) {
        lost = error
        // It may have been done all the same.
        if (isTold) notifications()?.distrust()
      }
      throw error
    }
  }
  client.query = watched as typeof query
  client.release = () => {
    client.query = query
    client.release = release
    release.call(client, dropsBroken ? (lost ?? broken ?? unended(client)) : undefined)
  }
  return client
}

/** Whoever gets the connection next would be within a transaction that nobody ends. */
function unended(client: pg.PoolClient): Error | undefined {
  return client.getTransactionStatus() === 'I' ? undefined : new Error('The transaction was not ended')
}

const toldTables = /\b(user|session|account|oauth_client|oauth_grant|oauth_revoked_token|jwks)\b/
// Nobody can have heard of what is new.
const newRow = /^\s*insert into "(user|session)"(?![\s\S]*\bon conflict\b)/

function isReading(verb: string | undefined, statement: string): boolean {
  return verb === 'select' || (verb === 'explain' && !/\banalyze\b/i.test(statement))
}

type Ask = (args: unknown[]) => Promise<unknown>

/** Runs a statement so that its transaction, or that of it alone, knows who makes it: in a round trip with its beginning. */
async function inContext(
  ask: Ask,
  args: unknown[],
  { begins, isAlone, dropsBroken }: Omit<Reading, 'isTold'> & Pick<Watching, 'dropsBroken'>,
): Promise<unknown> {
  const text = String(args[0])
  const context = begins || (isAlone && writesAudit(text)) ? auditStatement() : undefined
  if (context === undefined) return ask(args)
  try {
    if (begins) return await ask([`${text}; ${context}`])
    await ask([`begin; ${context}`])
    const result = await ask(args)
    await ask(['commit'])
    return result
  } catch (error) {
    // What timed out goes on, and ends with the connection; so does what cannot be taken back in time, which is told.
    if (error instanceof pg.DatabaseError || !dropsBroken) await ask(['rollback'])
    throw error
  }
}

/**
 * The result of a statement.
 * @throws DatabaseError for a commit that was a rollback, as somebody took no notice of what failed in its transaction
 */
function kept(statement: unknown, result: unknown): unknown {
  const { command } = result as pg.QueryResult
  if (command !== 'ROLLBACK' || !/^\s*commit\b/i.test(String(statement))) return result
  const error = new pg.DatabaseError('The commit of a transaction in which something failed was a rollback', 0, 'error')
  throw Object.assign(error, { severity: 'ERROR', code: '25P02' })
}

interface Reading {
  /** Whether, when it succeeds, a change of which the database tells may be there for good. */
  isTold: boolean
  /** Whether it begins a transaction. */
  begins: boolean
  /** Whether it is a transaction by itself. */
  isAlone: boolean
}

/** Reads the statements of a connection, one after the other. */
function createReader(): (text: unknown) => Reading {
  let isInTransaction = false
  let hasChanged = false
  return (text) => {
    const statement = typeof text === 'string' ? text : ''
    const verb = /^\s*(\w+)/.exec(statement)?.[1]?.toLowerCase()
    if (verb === 'begin' || verb === 'start') {
      isInTransaction = true
      hasChanged = false
      return { isTold: false, begins: true, isAlone: false }
    }
    if (verb === 'commit' || /^\s*rollback(?!\s+to\b)/i.test(statement)) {
      isInTransaction = false
      return { isTold: verb === 'commit' && hasChanged, begins: false, isAlone: false }
    }
    const changes = !isReading(verb, statement) && toldTables.test(statement) && !newRow.test(statement)
    hasChanged ||= changes
    return { isTold: changes && !isInTransaction, begins: false, isAlone: !isInTransaction }
  }
}

/** Runs a transaction of one statement, again when the database resolved a conflict against it; the last conflict counts as an outage. */
async function persistently(ask: () => Promise<unknown>): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (!isConflict(error)) throw error
      if (attempt < attempts) continue
      reportOutage(error)
      throw error
    }
  }
}

/** A conflict is for whose transaction it is, to try all of it again; for one of the library nobody does. */
async function orNote<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isConflict(error) && !noteConflict(error)) reportOutage(error)
    throw error
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
