import { createAuthMiddleware } from 'better-auth/api'
import { sessionTokenOf } from '../endpoint.ts'

/**
 * Ends the session of before where a browser signs in anew: its cookie is gone, so that nobody would end it, and whoever
 * has it from elsewhere could go on.
 */
export const endFormerSession = createAuthMiddleware(async (ctx) => {
  const { newSession, internalAdapter } = ctx.context
  if (!newSession) return
  const former = await sessionTokenOf(ctx)
  if (former && former !== newSession.session.token) await internalAdapter.deleteSession(former)
})
