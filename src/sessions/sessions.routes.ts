import { createRoute, z } from '@hono/zod-openapi'
import type { ActOnUser } from '../auth/act-on-user.ts'
import { endSessions, userExists } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import { userOf } from '../auth/principal.ts'
import type { Db } from '../db/database.ts'
import type { Cursors } from '../http/cursor.ts'
import { cutPage, pageQuery, pageResponse } from '../http/page.ts'
import { ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { resolveId, SessionPath, UserPath } from '../resources/parameters.ts'
import { Session, toSession } from '../resources/session.ts'
import { noSuchUser, toUser, User } from '../resources/user.ts'
import { countSessions, findSession, listSessions, positionOf, revokeSession } from './sessions.queries.ts'

interface Dependencies {
  db: Db
  requires: Requires
  cursors: Cursors
  actOnUser: ActOnUser
}

const CurrentSession = z.object({ session: Session, user: User }).openapi('CurrentSession')
const Revoked = z.object({ revoked: z.int().openapi({ example: 3 }) }).openapi('RevokedSessions')
const RevokeQuery = z.strictObject({
  keepCurrent: z
    .enum(['true', 'false'], 'is not true or false')
    .default('false')
    .transform((value) => value === 'true')
    .openapi({ type: 'boolean', default: false, description: 'Spare the session that asks' }),
})

/** Sessions: `/auth/session` and `/users/{id}/sessions`. */
export function sessionsRoutes({ db, requires, cursors, actOnUser }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('account:read'),
        operationId: 'getCurrentSession',
        summary: 'The session behind the credential',
        tags: ['Me'],
        method: 'get',
        path: '/auth/session',
        responses: {
          200: { description: 'The session and its user', content: { 'application/json': { schema: CurrentSession } } },
          ...problems('not-found'),
        },
      }),
      async (c) => {
        const { sessionId } = c.var.principal
        const session = sessionId === null ? undefined : await findSession(db, sessionId)
        if (!session) throw new ProblemError('not-found', 'This credential has no session.')
        return c.json({ session: toSession(session, sessionId), user: toUser(userOf(c.var.authenticated)) }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('sessions:read', { orSelf: true }),
        operationId: 'listUserSessions',
        summary: 'The live sessions of a user, newest first',
        tags: ['Sessions'],
        method: 'get',
        path: '/users/{id}/sessions',
        request: { params: UserPath, query: z.strictObject(pageQuery) },
        responses: {
          200: pageResponse('A page of sessions', Session),
          ...problems('not-found', 'validation'),
        },
      }),
      async (c) => {
        const { principal } = c.var
        const userId = resolveId(c.req.valid('param').id, principal)
        const { limit, cursor, include } = c.req.valid('query')
        const query = { sessionsOf: userId }
        const after = cursor === undefined ? undefined : cursors.decode(cursor, query)
        if (!(await userExists(db, userId))) throw noSuchUser()
        const rows = await listSessions(db, userId, { after, limit: limit + 1 })
        const total = include === 'total' ? { total: await countSessions(db, userId) } : {}
        const { data, page } = cutPage(c, rows, limit, (last) => cursors.encode(positionOf(last), query))
        return c.json({ data: data.map((row) => toSession(row, principal.sessionId)), page, ...total }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('sessions:revoke', { orSelf: true }),
        operationId: 'revokeUserSessions',
        summary: 'End all sessions of a user',
        tags: ['Sessions'],
        method: 'delete',
        path: '/users/{id}/sessions',
        request: { params: UserPath, query: RevokeQuery },
        responses: {
          200: { description: 'How many ended', content: { 'application/json': { schema: Revoked } } },
          ...problems('not-found', 'validation'),
        },
      }),
      async (c) => {
        const { principal } = c.var
        const userId = resolveId(c.req.valid('param').id, principal)
        const spared = c.req.valid('query').keepCurrent ? principal.sessionId : null
        const revoked = await actOnUser(c.var.authenticated, userId, (trx) => endSessions(trx, userId, spared), {
          asOwner: true,
          changesAuthority: false,
        })
        return c.json({ revoked }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('sessions:revoke', { orSelf: true }),
        operationId: 'revokeUserSession',
        summary: 'End one session of a user',
        tags: ['Sessions'],
        method: 'delete',
        path: '/users/{id}/sessions/{sid}',
        request: { params: SessionPath },
        responses: { 204: { description: 'Ended' }, ...problems('not-found', 'validation') },
      }),
      async (c) => {
        const { principal } = c.var
        const { id, sid } = c.req.valid('param')
        const userId = resolveId(id, principal)
        const revoked = await actOnUser(c.var.authenticated, userId, (trx) => revokeSession(trx, userId, sid), {
          asOwner: true,
          changesAuthority: false,
        })
        if (!revoked) throw new ProblemError('not-found', 'This user has no session with this id.')
        return c.body(null, 204)
      },
    )
}
