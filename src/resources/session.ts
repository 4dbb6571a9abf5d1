import { z } from '@hono/zod-openapi'
import type { Row } from '../db/database.ts'

/** The wire form of a session: never its token. */
export const Session = z
  .object({
    id: z.string().openapi({ example: 'p0LmX3vB7nQ9zK2cT5yR8wE1aS4dG6hJ' }),
    userId: z.string().openapi({ example: 'k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa' }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    updatedAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    expiresAt: z.iso.datetime().openapi({ example: '2026-02-07T09:30:00.000Z' }),
    ipAddress: z.string().nullable().openapi({ example: '203.0.113.7' }),
    userAgent: z.string().nullable().openapi({ example: 'Mozilla/5.0' }),
    impersonatedBy: z.string().nullable().openapi({ description: 'The admin who acts as this user', example: null }),
    current: z.boolean().openapi({ description: 'Whether it is the session that asks', example: true }),
  })
  .openapi('Session')

export const sessionColumns = [
  'session.id',
  'session.user_id',
  'session.created_at',
  'session.updated_at',
  'session.expires_at',
  'session.ip_address',
  'session.user_agent',
  'session.impersonated_by',
] as const

export type SessionRow = Omit<Row<'session'>, 'token' | 'not_after'>

/** A session as callers see it; `currentId` is the id of the session that asks. */
export function toSession(row: SessionRow, currentId: string | null): z.infer<typeof Session> {
  return {
    id: row.id,
    userId: row.user_id,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    ipAddress: row.ip_address || null,
    userAgent: row.user_agent || null,
    impersonatedBy: row.impersonated_by,
    current: row.id === currentId,
  }
}
