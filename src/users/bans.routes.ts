import { createRoute } from '@hono/zod-openapi'
import type { ActOnUser } from '../auth/act-on-user.ts'
import type { Requires } from '../auth/authorize.ts'
import { ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { resolveId, UserPath } from '../resources/parameters.ts'
import { toUser, User } from '../resources/user.ts'
import { banUser, unbanUser } from './users.queries.ts'
import { BanBody } from './users.schemas.ts'

interface Dependencies {
  requires: Requires
  actOnUser: ActOnUser
}

/** `/users/{id}/ban`. */
export function bansRoutes({ requires, actOnUser }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('users:ban'),
        operationId: 'banUser',
        summary: 'Ban a user and end their sessions',
        description: 'A second ban replaces reason and end of the first. Tokens issued before it are refused at once.',
        tags: ['Users'],
        method: 'post',
        path: '/users/{id}/ban',
        request: { params: UserPath, body: { content: { 'application/json': { schema: BanBody } } } },
        responses: {
          200: { description: 'The banned user', content: { 'application/json': { schema: User } } },
          ...problems('not-found', 'self-action', 'last-admin', 'validation'),
        },
      }),
      async (c) => {
        const { principal } = c.var
        const id = resolveId(c.req.valid('param').id, principal)
        const { reason = null, expiresAt = null } = c.req.valid('json')
        if (id === principal.subject) throw new ProblemError('self-action', 'You cannot ban yourself.')
        const user = await actOnUser(c.var.authenticated, id, (trx) => banUser(trx, id, reason, expiresAt))
        return c.json(toUser(user), 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('users:ban'),
        operationId: 'unbanUser',
        summary: 'Lift a ban',
        tags: ['Users'],
        method: 'delete',
        path: '/users/{id}/ban',
        request: { params: UserPath },
        responses: {
          200: { description: 'The user', content: { 'application/json': { schema: User } } },
          ...problems('not-found', 'validation'),
        },
      }),
      async (c) => {
        const { principal } = c.var
        const id = resolveId(c.req.valid('param').id, principal)
        const user = await actOnUser(c.var.authenticated, id, (trx) => unbanUser(trx, id))
        return c.json(toUser(user), 200)
      },
    )
}
