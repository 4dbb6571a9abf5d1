import { createAuthMiddleware } from 'better-auth/api'

/**
 * Ends the session of before where a browser signs in anew: its cookie is gone, so that nobody would end it, and whoever
 * has it from elsewhere could go on.
 */
export const endFormerSession = createAuthMiddleware(async ({ context, getSignedCookie }) => {
  const { newSession, authCookies, internalAdapter, secret } = context
  if (!newSession) return
  const former = await getSignedCookie(authCookies.sessionToken.name, secret)
  if (former && former !== newSession.session.token) await internalAdapter.deleteSession(former)
})
