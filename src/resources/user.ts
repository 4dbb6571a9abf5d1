import { z } from '@hono/zod-openapi'
import type { Row } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'

/** The wire form of a user. */
export const User = z
  .object({
    id: z.string().openapi({ example: 'k3vJ8sQ2mZ7xT1bN5cR9wL4pH6dF0gYa' }),
    email: z.string().openapi({ format: 'email', example: 'ada@example.com' }),
    emailVerified: z.boolean(),
    name: z.string().openapi({ example: 'Ada Lovelace' }),
    image: z.string().nullable().openapi({ format: 'uri', example: 'https://example.com/ada.png' }),
    role: z.string().openapi({ example: 'user' }),
    banned: z
      .boolean()
      .openapi({ description: 'Whether the user is banned now; false once a ban has expired', example: false }),
    banReason: z.string().nullable().openapi({ example: null }),
    banExpires: z.iso.datetime().nullable().openapi({ description: 'Null for a ban without end', example: null }),
    createdAt: z.iso.datetime().openapi({ example: '2026-01-31T09:30:00.000Z' }),
    updatedAt: z.iso.datetime().openapi({ example: '2026-02-01T10:00:00.000Z' }),
  })
  .openapi('User')

/** What is read of a user; `banned` is the effective state. */
export const userColumns = [
  'user.id',
  'user.email',
  'user.email_verified',
  'user.name',
  'user.image',
  'user.role',
  'user.ban_reason',
  'user.ban_expires',
  'user.created_at',
  'user.updated_at',
] as const

export type UserRow = Omit<Row<'user'>, 'valid_after'>

/** A user as callers see them. */
export function toUser(row: UserRow): z.infer<typeof User> {
  return {
    id: row.id,
    email: row.email,
    emailVerified: row.email_verified,
    name: row.name,
    image: row.image,
    role: row.role,
    banned: row.banned,
    banReason: row.banned ? row.ban_reason : null,
    banExpires: row.banned ? (row.ban_expires?.toISOString() ?? null) : null,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}

/** What to throw for an id that no user has. */
export function noSuchUser(): ProblemError {
  return new ProblemError('not-found', 'There is no user with this id.')
}
