import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { type AuditContext, auditedAs, isAudited, noteAudit } from '../db/audit-context.ts'
import { type Env, exchangeOf } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { Authenticate, Principal } from './principal.ts'

type ClientAddress = (incoming: Env['Bindings']['incoming']) => string

const maxAgentChars = 500

/** Has the audit log know whence the changes of a request come. What only reads is let through as it is. */
export function auditRequests(clientAddress: ClientAddress) {
  return createMiddleware<Env>((c, next) => {
    const { method } = c.req
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return next()
    return auditedAs(contextOf(c, clientAddress), () => next())
  })
}

/** The same for a request that may change something by any method. */
export function auditedRequest<T>(c: Context, clientAddress: ClientAddress, work: () => T): T {
  return isAudited() ? work() : auditedAs(contextOf(c, clientAddress), work)
}

function contextOf(c: Context, clientAddress: ClientAddress): AuditContext {
  const { incoming } = c.env as Env['Bindings']
  const agent = incoming.headers['user-agent']?.replaceAll(/\p{Cc}/gu, '').slice(0, maxAgentChars)
  return {
    requestId: exchangeOf(c).id,
    ipAddress: clientAddress(incoming),
    ...(agent !== undefined && { userAgent: agent }),
  }
}

/** Says who makes the changes of the request under way: an admin who acts as somebody does it themselves. */
export function noteActor({ kind, subject, clientId, impersonatedBy }: Principal): void {
  noteAudit({
    actorType: kind,
    actorId: impersonatedBy ?? subject,
    ...(kind === 'user' && clientId !== null && { clientId }),
  })
}

// Whoever was signed in before: these are for who proves to be somebody by the request itself.
const provingPaths =
  /^\/(sign-in|sign-up|callback|reset-password|verify-email|oauth2\/(token|revoke|introspect|userinfo))\b/
const readPaths = /^\/(get-session|token|list-sessions|list-accounts)$/

/**
 * Says who makes a request to Better-Auth, by the session that it presents, and what such a request does.
 * @param path below `/api/auth`
 * @param credential the signed session token of the request, if there is one
 * @throws ProblemError where that cannot be known now
 */
export async function noteAuthRequest(
  path: string,
  credential: string | undefined,
  authenticate: Authenticate,
): Promise<void> {
  const proves = provingPaths.test(path)
  noteAudit({ ...effectOf(path), proves })
  if (credential === undefined || proves || readPaths.test(path)) return
  try {
    noteActor((await authenticate({ kind: 'cookie', value: credential })).principal)
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status !== 401) throw error
  }
}

/** What the rows do not tell of a request: how a session begins, and why one ends. */
function effectOf(path: string): AuditContext {
  const [, kind = '', name = ''] = path.split('/')
  if (kind === 'sign-in') return { way: name === 'email' ? 'password' : 'provider', ending: 'replaced' }
  if (kind === 'sign-up') return { way: 'sign-up', ending: 'replaced' }
  if (kind === 'callback') return { way: 'provider', ending: 'replaced' }
  if (kind === 'reset-password' || kind === 'verify-email') return { way: 'reset' }
  if (kind === 'sign-out' || name === 'end-session' || name === 'stop-impersonating') return { ending: 'sign-out' }
  if (kind === 'delete-user' || name === 'remove-user') return { ending: 'user-deleted' }
  return {}
}
