import { createAuthMiddleware } from 'better-auth/api'
import { endSessions } from '../authority/authority.queries.ts'
import type { Rule } from './guard.ts'
import { findNamedSession } from './session.queries.ts'

const listPaths = new Set(['/list-sessions', '/admin/list-user-sessions'])

/** Whether an endpoint of Better-Auth lists sessions. */
export function listsSessions(path: string | undefined): boolean {
  return path !== undefined && listPaths.has(path)
}

interface ListedSession {
  id: string
  token: string
}

/**
 * Puts the id of a session in the place of its token: clients hand that back to revoke it, and a list is read where a
 * token must not be.
 */
export const hideTokens = createAuthMiddleware(async (ctx) => {
  const returned = ctx.context.returned as ListedSession[] | { sessions?: ListedSession[] } | undefined
  const hidden = (sessions: ListedSession[]) => sessions.map((session) => ({ ...session, token: session.id }))
  if (Array.isArray(returned)) return await ctx.json<object>(hidden(returned))
  // Of what is refused there is no list, and its errors are of several classes.
  return returned?.sessions && (await ctx.json<object>({ ...returned, sessions: hidden(returned.sessions) }))
})

/** Lets a session of one's own be revoked by its id, too, and finds none of anybody else. */
export const namesOwnSession: Rule = async ({ db, actor, body }) => {
  const session = await findNamedSession(db, String(body['token']))
  if (session?.user_id === actor.id) body['token'] = session.token
}

/** Ends all sessions but the one that asks, and the tokens that have none. Better-Auth would read them first, up to its limit. */
export const endsOthers: Rule = async ({ db, actor }) => {
  await endSessions(db, actor.id, actor.session_id)
}
