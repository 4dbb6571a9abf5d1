import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import type { AuditAction } from '../resources/audit-actions.ts'

/** What the audit log is told where no row tells it. */
export interface AuditEvent {
  action: AuditAction
  target: { type: 'user' | 'client'; id: string } | null
  /** What there is now that was not before. Never a secret. */
  changes?: Record<string, unknown>
  reason?: string | null
}

/** Adds an event to the audit log, when the transaction commits. */
export async function noteEvent(db: Db, { action, target, changes = {}, reason = null }: AuditEvent): Promise<void> {
  await sql`
    select audit_one(${action}, ${target?.type ?? null}, ${target?.id ?? null}, audit_diff('{}', ${JSON.stringify(changes)}),
      ${reason})`.execute(db)
}

/** Adds that a sign-in was refused: of whom, where somebody has the address that was named, and why. */
export async function noteFailedSignIn(db: Db, email: string | null, reason: string | null): Promise<void> {
  const found = sql`(select id from "user" where email = ${email})`
  await sql`
    select audit_one('sign_in.failed', case when ${found} is not null then 'user' end, ${found}, '{}', ${reason})`.execute(
    db,
  )
}
