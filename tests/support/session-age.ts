import { sql } from 'kysely'
import type { TestService } from './harness.ts'

/** Lets time pass for a session: everything about it was so much earlier. */
export async function age({ db }: TestService, { sessionId }: { sessionId: string }, ms: number): Promise<void> {
  const by = sql`${ms / 1_000} * interval '1 second'`
  await db.transaction().execute(async (trx) => {
    await sql`alter table session disable trigger session_slide`.execute(trx)
    await sql`update session set created_at = created_at - ${by}, updated_at = updated_at - ${by},
      expires_at = expires_at - ${by}, not_after = not_after - ${by} where id = ${sessionId}`.execute(trx)
    await sql`alter table session enable trigger session_slide`.execute(trx)
  })
}
