import { sql } from 'kysely'
import type { Db, Row, Tx } from '../../src/db/database.ts'
import type { TestService } from './harness.ts'

/** An event of the audit log, as its row is. */
export interface AuditRow extends Omit<Row<'audit_event'>, 'changes'> {
  changes: Record<string, { from: unknown; to: unknown }>
}

/** Runs `work`, and tells the events of the audit log since, in their order. */
export async function eventsOf(db: Db, work: () => Promise<unknown>): Promise<AuditRow[]> {
  const { rows: before } = await sql<{ last_seq: number }>`select last_seq from audit_head`.execute(db)
  await work()
  const { rows } = await sql<AuditRow>`
    select * from audit_event where seq > ${before[0]?.last_seq ?? 0} order by seq`.execute(db)
  return rows
}

/** Does to the audit log what its guards refuse. */
async function unguarded(trx: Tx, work: () => Promise<void>): Promise<void> {
  const switchGuards = async (how: 'disable' | 'enable') => {
    for (const table of ['audit_event', 'audit_head'])
      await sql.raw(`alter table ${table} ${how} trigger user`).execute(trx)
  }
  await switchGuards('disable')
  await work()
  await switchGuards('enable')
}

/**
 * Writes the audit log as nobody can who does not switch its guards off, and lets `judge` look at it before all is taken
 * back.
 */
export async function tampered<T>(db: Db, statements: string[], judge: (trx: Tx) => Promise<T>): Promise<T> {
  const takenBack = new Error('taken back')
  let judged: { verdict: T } | undefined
  const attack = db.transaction().execute(async (trx) => {
    await unguarded(trx, async () => {
      for (const statement of statements) await sql.raw(statement).execute(trx)
    })
    judged = { verdict: await judge(trx) }
    throw takenBack
  })
  await attack.catch((error: unknown) => {
    if (error !== takenBack) throw error
  })
  if (!judged) throw new Error('The audit log was not judged')
  return judged.verdict
}

/** Adds so many more events to the log, each as its first is, which `ageAuditLog` chains. */
export async function growAuditLog(db: Db, count: number): Promise<void> {
  await db.transaction().execute((trx) =>
    unguarded(trx, async () => {
      await sql`insert into audit_event
      select last_seq + n, last_at, action, actor_type, actor_id, client_id, target_type, target_id, changes, reason,
        request_id, ip_address, user_agent, hash
      from audit_head, generate_series(1, ${count}::int) as n, (select * from audit_event order by seq limit 1) as e
    `.execute(trx)
      await sql`update audit_head set last_seq = last_seq + ${count}`.execute(trx)
    }),
  )
}

/** Makes the log older, and chains it anew: all of it, so that it is whole. */
export async function ageAuditLog(db: Db, days: number): Promise<void> {
  await db.transaction().execute((trx) =>
    unguarded(trx, async () => {
      await sql`update audit_event set created_at = created_at - make_interval(days => ${days})`.execute(trx)
      await sql`
      update audit_event set changes = jsonb_set(changes, '{removedTo,to}', to_jsonb(audit_time(
        cast(changes #>> '{removedTo,to}' as timestamptz) - make_interval(days => ${days}))))
      where action = 'audit.pruned'`.execute(trx)
      await sql`do $$
      declare e record; chained bytea := (select first_hash from audit_head);
      begin
        for e in select * from audit_event order by seq loop
          chained := sha256(chained || convert_to(jsonb_build_array(e.seq, (extract(epoch from e.created_at) * 1000000)::bigint,
            e.action, e.actor_type, e.actor_id, e.client_id, e.target_type, e.target_id, e.changes, e.reason, e.request_id,
            e.ip_address, e.user_agent)::text, 'UTF8'));
          update audit_event set hash = chained where seq = e.seq;
        end loop;
        update audit_head set last_hash = chained;
      end $$`.execute(trx)
    }),
  )
}

const agent = 'test agent/1'

/** Calls of a service that tell the events of the audit log that they made. */
export function createAuditedCalls({ db, request, baseUrl }: TestService) {
  const headers = { 'user-agent': `${agent}\u0085` }

  async function call(work: () => Promise<Response>) {
    const answers: Response[] = []
    const rows = await eventsOf(db, async () => answers.push(await work()))
    const [response] = answers
    if (!response) throw new Error('There is no answer')
    return { rows, response }
  }

  return {
    /** Calls `/api/v1` with a token. */
    v1: (caller: { token: string }, method: string, path: string, json?: unknown) =>
      call(() => request(`/api/v1${path}`, { method, token: caller.token, json, headers })),
    /** Posts to `/api/auth`. */
    auth: (path: string, json: unknown = {}, cookie?: string, more: Record<string, string> = {}) =>
      call(() =>
        request(`/api/auth${path}`, {
          json,
          ...(cookie !== undefined && { cookie }),
          headers: { ...headers, origin: baseUrl, ...more },
        }),
      ),
  }
}

/** Who did it, to whom, and whence; whether the request id is the one that the caller was told. */
export function whoOf({ rows, response }: { rows: AuditRow[]; response: Response }) {
  return rows.map((row) => [
    row.action,
    `${row.actor_type} ${row.actor_id}`,
    `${row.target_type} ${row.target_id}`,
    row.request_id === response.headers.get('x-request-id'),
    row.ip_address,
    row.user_agent,
  ])
}

/** The same of an event as it must be, of an actor who is null where nobody knows who it was. */
export function by(actor: { id: string | null }, action: string, target: { id: string }) {
  return [action, `user ${actor.id}`, `user ${target.id}`, true, '127.0.0.1', agent]
}

export const actionsOf = (rows: AuditRow[]) => rows.map(({ action }) => action)

/** What a browser keeps of an answer: of two cookies of one name the later. */
export function cookiesOf(response: Response): string {
  const pairs = response.headers.getSetCookie().map((one) => (one.split(';')[0] ?? '').split('='))
  return [...new Map(pairs.map(([name, ...value]) => [name, value.join('=')]))].map((pair) => pair.join('=')).join('; ')
}
