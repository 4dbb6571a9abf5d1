import { createRoute } from '@hono/zod-openapi'
import { userExists } from '../auth/authority/authority.queries.ts'
import type { Requires } from '../auth/authorize.ts'
import type { Db } from '../db/database.ts'
import type { Cursors } from '../http/cursor.ts'
import { cutPage, pageResponse } from '../http/page.ts'
import { problems } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { resolveId, UserPath } from '../resources/parameters.ts'
import { noSuchUser } from '../resources/user.ts'
import { countEvents, countEventsOf, listEvents, listEventsOf, positionOf } from './audit.queries.ts'
import { AuditEvent, ListEvents, ListUserEvents, toEvent, toOwnEvent } from './audit.schemas.ts'

interface Dependencies {
  db: Db
  requires: Requires
  cursors: Cursors
}

/** The audit log: `/audit-events`, and of one user `/users/{id}/audit-events`. */
export function auditRoutes({ db, requires, cursors }: Dependencies) {
  return createRouter()
    .openapi(
      createRoute({
        ...requires('audit:read'),
        operationId: 'listAuditEvents',
        summary: 'The audit log, latest first',
        tags: ['Audit'],
        method: 'get',
        path: '/audit-events',
        request: { query: ListEvents },
        responses: { 200: pageResponse('A page of events', AuditEvent), ...problems('validation') },
      }),
      async (c) => {
        const { limit, cursor, include, ...filter } = c.req.valid('query')
        const query = { auditEvents: filter }
        const after = cursor === undefined ? undefined : cursors.decode(cursor, query)
        const rows = await listEvents(db, filter, { after, limit: limit + 1 })
        const total = include === 'total' ? { total: await countEvents(db, filter) } : {}
        const { data, page } = cutPage(c, rows, limit, (last) => cursors.encode(positionOf(last), query))
        return c.json({ data: data.map(toEvent), page, ...total }, 200)
      },
    )
    .openapi(
      createRoute({
        ...requires('audit:read', { orSelf: true }),
        operationId: 'listUserAuditEvents',
        summary: 'What a user did, and what was done to them, latest first',
        description:
          'Who may not read the log is not told whence somebody else acted on them, nor what they changed of somebody else.',
        tags: ['Audit'],
        method: 'get',
        path: '/users/{id}/audit-events',
        request: { params: UserPath, query: ListUserEvents },
        responses: { 200: pageResponse('A page of events', AuditEvent), ...problems('not-found', 'validation') },
      }),
      async (c) => {
        const { principal } = c.var
        const userId = resolveId(c.req.valid('param').id, principal)
        const { limit, cursor, include, ...filter } = c.req.valid('query')
        const query = { auditEventsOf: userId, ...filter }
        const after = cursor === undefined ? undefined : cursors.decode(cursor, query)
        if (!(await userExists(db, userId))) throw noSuchUser()
        const rows = await listEventsOf(db, userId, filter, { after, limit: limit + 1 })
        const total = include === 'total' ? { total: await countEventsOf(db, userId, filter) } : {}
        const { data, page } = cutPage(c, rows, limit, (last) => cursors.encode(positionOf(last), query))
        const toWire = principal.permissions.has('audit:read')
          ? toEvent
          : (row: (typeof rows)[number]) => toOwnEvent(row, userId)
        return c.json({ data: data.map(toWire), page, ...total }, 200)
      },
    )
}
