import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'

/** Who makes a change, and whence: what the events of the audit log say beside what has changed. */
export interface AuditContext {
  /** Left out for somebody who has not proven who they are. */
  actorType?: 'user' | 'client' | 'system'
  actorId?: string
  /** The client through which a user acts. */
  clientId?: string
  requestId?: string
  ipAddress?: string
  userAgent?: string
  /**
   * Whether who asks proves only by what they do to be the actor or, where none is named, the user to whom it happens:
   * what is refused nobody is known to have done.
   */
  proves?: boolean
  /** In what way a session begins, or a password is set. */
  way?: string
  /** Why a session ends. */
  ending?: string
}

/** The service, which looks after what it has: by itself, or because somebody needs it now. */
export const upkeepActor: AuditContext = { actorType: 'system', actorId: 'upkeep' }

const contexts = new AsyncLocalStorage<AuditContext>()

/** Does `work` as somebody: the audit log says so of all that it changes. */
export function auditedAs<T>(context: AuditContext, work: () => T): T {
  return contexts.run(context, work)
}

/** Adds what is known of the work under way only now; what has begun in a transaction is as it was. */
export function noteAudit(more: AuditContext): void {
  const context = contexts.getStore()
  if (context) Object.assign(context, more)
}

/** Whether somebody does the work under way of whom the audit log is to say so. */
export function isAudited(): boolean {
  return contexts.getStore() !== undefined
}

const written =
  /^\s*(?:(?:insert\s+into|update|delete\s+from)\s+"?(?:user|session|account|oauth_client|oauth_grant|oauth_consent|jwks)\b|select\s+audit_one\b)/i

/** Whether a statement may write an event, and so must be told who makes it. */
export function writesAudit(statement: string): boolean {
  return written.test(statement)
}

/**
 * The statement that tells the database who makes the changes of a transaction, until that ends; undefined when nobody
 * is known. Never for longer: the connection may be a pooler's, and the next one's.
 */
export function auditStatement(): string | undefined {
  const context = contexts.getStore()
  return context && `select set_config('latchkey.audit', ${pg.escapeLiteral(JSON.stringify(context))}, true)`
}
