import { createRoute, z } from '@hono/zod-openapi'
import type { ActOnUser } from '../auth/act-on-user.ts'
import { userExists } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import type { Principal } from '../auth/principal.ts'
import type { Db } from '../db/database.ts'
import { ProblemError, problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { Grant, toGrant } from '../resources/grant.ts'
import { GrantPath, resolveId, UserPath } from '../resources/parameters.ts'
import { noSuchUser } from '../resources/user.ts'
import { endGrant, listGrants } from './grants.queries.ts'

interface Dependencies {
  db: Db
  requires: Requires
  actOnUser: ActOnUser
}

const Grants = z.object({ data: z.array(Grant) })

/** What clients may do for a user: `/users/{id}/grants`. */
export function grantsRoutes({ db, requires, actOnUser }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('users:read', { orSelf: true }),
        operationId: 'listUserGrants',
        summary: 'The clients that may act for a user',
        description: 'A client is shown itself alone, unless it may read users.',
        tags: ['Grants'],
        method: 'get',
        path: '/users/{id}/grants',
        request: { params: UserPath },
        responses: {
          200: { description: 'Its grants', content: { 'application/json': { schema: Grants } } },
          ...problems('not-found', 'validation'),
        },
      }),
      async (c) => {
        const userId = resolveId(c.req.valid('param').id, c.var.principal)
        if (!(await userExists(db, userId))) throw noSuchUser()
        return c.json({ data: (await listGrants(db, userId, ownOf(c.var.principal))).map(toGrant) }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('sessions:revoke', { orSelf: true }),
        operationId: 'endUserGrant',
        summary: 'End what a client may do for a user',
        description: 'Its tokens end at once, and it must ask again.',
        tags: ['Grants'],
        method: 'delete',
        path: '/users/{id}/grants/{clientId}',
        request: { params: GrantPath },
        responses: { 204: { description: 'Ended' }, ...problems('not-found', 'validation') },
      }),
      async (c) => {
        const { id, clientId } = c.req.valid('param')
        const { principal } = c.var
        const userId = resolveId(id, principal)
        // What an application may change of an account are not the other applications.
        const isOwn = principal.clientId === null || principal.clientId === clientId
        if (!isOwn && !principal.permissions.has('sessions:revoke')) throw new ProblemError('forbidden')
        // Queues with the end of the client, too, which comes to the tokens before the grants.
        const isEnded = await actOnUser(c.var.authenticated, userId, (trx) => endGrant(trx, userId, clientId), {
          asOwner: true,
        })
        if (!isEnded) throw new ProblemError('not-found', 'This user has no grant for this client.')
        return c.body(null, 204)
      },
    )
}

/** The client that asks, where it is to see no other: which ones somebody uses is not its business. */
function ownOf({ clientId, permissions }: Principal): string | undefined {
  return clientId === null || permissions.has('users:read') ? undefined : clientId
}
