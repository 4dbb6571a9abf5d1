import { APIError, createAuthMiddleware } from 'better-auth/api'
import type { Db } from '../../db/database.ts'
import { clientAddressHeader } from '../../http/client-address.ts'
import { type Log, scrub } from '../../log.ts'
import { noteFailedSignIn } from '../audit.queries.ts'

/** Whether an endpoint of Better-Auth signs somebody in. */
export function isSignIn(path: string | undefined): boolean {
  return path !== undefined && /^\/(sign-in|sign-up|callback)\//.test(path)
}

/**
 * One line for each sign-in, done or failed: who, from where, and why not. The audit log is told of those that failed: no
 * row tells it of them.
 */
export function tellSignIn(log: Log, db: Db) {
  return createAuthMiddleware(async (ctx) => {
    const address = ctx.headers?.get(clientAddressHeader) ?? null
    const { returned, newSession } = ctx.context
    if (newSession) {
      log.info({ event: 'sign-in', userId: newSession.user.id, sessionId: newSession.session.id, address }, 'signed in')
    } else if (returned instanceof APIError && returned.statusCode >= 400) {
      const code = returned.body?.code ?? null
      log.warn({ event: 'sign-in-failed', code, address }, scrub(returned.message))
      const isRefused = returned.statusCode === 401 || returned.statusCode === 403
      if (isRefused && ctx.path.startsWith('/sign-in/')) await noteFailedSignIn(db, addressIn(ctx), code)
    }
  })
}

/** The address that was typed. It is looked up and not kept: some type their password there. */
function addressIn({ path, body }: { path: string; body?: unknown }): string | null {
  const { email } = (body ?? {}) as { email?: unknown }
  return path === '/sign-in/email' && typeof email === 'string' ? email.toLowerCase() : null
}
