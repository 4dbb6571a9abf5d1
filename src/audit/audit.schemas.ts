import { z } from '@hono/zod-openapi'
import { pageQuery } from '../http/page.ts'
import { type AuditAction, auditActions } from '../resources/audit-actions.ts'
import type { EventRow } from './audit.queries.ts'

const actions = Object.keys(auditActions) as [AuditAction, ...AuditAction[]]

const instant = z.iso
  .datetime({ offset: true, error: 'is not an RFC 3339 date and time' })
  .transform((value) => new Date(value))
  .openapi({ type: 'string', format: 'date-time', example: '2026-01-01T00:00:00Z' })

const id = z.string().regex(/^[\w.@-]{1,64}$/, 'is not an id')

/** The query of `GET /users/{id}/audit-events`. */
export const ListUserEvents = z.strictObject({
  ...pageQuery,
  action: z.enum(actions).optional().openapi({ example: 'session.created' }),
  createdAfter: instant.optional(),
  createdBefore: instant.optional(),
})

/** The query of `GET /audit-events`. */
export const ListEvents = ListUserEvents.extend({
  actor: id.optional().openapi({ description: 'The id of who did it', example: 'k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa' }),
  target: id.optional().openapi({ description: 'The id of whom or what it was done to', example: 'k3vJ8sQ2mZ7xT1bN' }),
})

const Change = z.object({ from: z.unknown(), to: z.unknown() })

const meanings = Object.entries(auditActions).map(([action, meaning]) => `- \`${action}\`: ${meaning}`)

/** The wire form of an event. */
export const AuditEvent = z
  .object({
    seq: z.int().openapi({ description: 'Its place in the log, which has no gaps', example: 4_711 }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    action: z.enum(actions).openapi({ description: meanings.join('\n'), example: 'user.banned' }),
    actor: z.object({
      type: z.enum(['user', 'client', 'system']).openapi({ description: '`system`: the service itself, or SQL' }),
      id: z.string().nullable().openapi({
        description:
          'Null for who has not proven to be anybody. Of `system`: `boot`, `upkeep`, `cli`, or a database role',
        example: 'k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa',
      }),
      clientId: z.string().nullable().openapi({ description: 'The client through which a user did it', example: null }),
    }),
    target: z
      .object({ type: z.enum(['user', 'client', 'key']), id: z.string().nullable() })
      .nullable()
      .openapi({ example: { type: 'user', id: 'p0LmX3vB7nQ9zK2cT5yR8wE1aS4dG6hJ' } }),
    changes: z.record(z.string(), Change).openapi({
      description: 'The fields that have changed, before and after. Never a secret',
      example: { banned: { from: false, to: true } },
    }),
    reason: z.string().nullable().openapi({ example: 'Spam' }),
    requestId: z.string().nullable().openapi({ description: 'As in `X-Request-Id`', example: null }),
    ipAddress: z.string().nullable().openapi({ example: '203.0.113.7' }),
    userAgent: z.string().nullable().openapi({ example: 'Mozilla/5.0' }),
  })
  .openapi('AuditEvent')

type Wire = z.infer<typeof AuditEvent>

/** An event as callers see it who may read the log. */
export function toEvent(row: EventRow): Wire {
  return {
    seq: row.seq,
    createdAt: row.created_at.toISOString(),
    action: row.action as Wire['action'],
    actor: { type: row.actor_type as Wire['actor']['type'], id: row.actor_id, clientId: row.client_id },
    target: targetOf(row),
    changes: row.changes as Wire['changes'],
    reason: row.reason,
    requestId: row.request_id,
    ipAddress: row.ip_address,
    userAgent: row.user_agent,
  }
}

/**
 * An event as the user sees it whom it is about, or who did it: not whence somebody else acted on them, nor what has
 * changed of somebody else.
 */
export function toOwnEvent(row: EventRow, userId: string): Wire {
  const event = toEvent(row)
  const isOther = row.actor_type !== 'user' || (row.actor_id !== null && row.actor_id !== userId)
  const isAboutOther = row.target_type !== 'user' || row.target_id !== userId
  return {
    ...event,
    ...(isOther && { ipAddress: null, userAgent: null }),
    ...(isAboutOther && { changes: {}, reason: null }),
  }
}

function targetOf({ target_type, target_id }: EventRow): Wire['target'] {
  return target_type === null ? null : { type: target_type as 'user' | 'client' | 'key', id: target_id }
}
